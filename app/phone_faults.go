package app

import (
	"kurir/sandbox"
	"kurir/web"
)

// consoleFault is a fault of the console and what it is to the simulator.
type consoleFault struct {
	kind      web.FaultKind
	fault     sandbox.Fault
	everybody bool // it cannot be had for one number only
	stays     bool // it cannot be counted: it ends by itself or when it is ended
}

func consoleFaults() []consoleFault {
	page := func(kind web.FaultKind, name string, args map[string]any) consoleFault {
		return consoleFault{kind: kind, fault: sandbox.Fault{Name: sandbox.FaultPage, Page: name, Args: args}, stays: true}
	}
	refused := func(code int, text string, untilIn int) sandbox.Fault {
		return sandbox.Fault{Name: sandbox.FaultSendError, Code: code, Text: text, UntilIn: untilIn}
	}
	return []consoleFault{
		{kind: web.FaultNotOnWhatsApp, fault: sandbox.Fault{Name: sandbox.FaultNotExists}, stays: true},
		{kind: web.FaultServerError, fault: refused(500, "internal-server-error", 0)},
		{kind: web.FaultTooMany, fault: refused(429, "rate-overlimit", 0)},
		{kind: web.FaultRestricted, fault: refused(463, "reach out limit", 3600)},
		{kind: web.FaultNoAck, fault: sandbox.Fault{Name: sandbox.FaultNoAck}},
		{kind: web.FaultAckLate, fault: sandbox.Fault{Name: sandbox.FaultAckDelay, DelayMS: 5000}},
		{kind: web.FaultNotDelivered, fault: sandbox.Fault{Name: sandbox.FaultNoReceipt}},
		{kind: web.FaultNoAnswer, fault: sandbox.Fault{Name: sandbox.FaultOpHang, Op: "usync"}},
		{kind: web.FaultUploadFails, fault: sandbox.Fault{Name: sandbox.FaultUploadFail}},
		{kind: web.FaultUploadHangs, fault: sandbox.Fault{Name: sandbox.FaultUploadHang}, stays: true},
		{kind: web.FaultDownloadGone, fault: sandbox.Fault{Name: sandbox.FaultDownloadGone}, everybody: true},
		{kind: web.FaultPasskey, fault: sandbox.Fault{Name: sandbox.FaultPasskey}, stays: true},
		{kind: web.FaultSocket, fault: sandbox.Fault{Name: sandbox.FaultDropSocket, Seconds: 30}, stays: true},
		page(web.FaultReload, "reload", nil),
		page(web.FaultFreeze, "freeze", map[string]any{"ms": 60_000}),
		page(web.FaultCrash, "crash", nil),
	}
}

// kindOf is the console's name for a fault, "" when the console does not offer it.
func kindOf(f sandbox.Fault) web.FaultKind {
	for _, c := range consoleFaults() {
		if c.fault.Name == f.Name && c.fault.Code == f.Code && c.fault.Op == f.Op && c.fault.Page == f.Page {
			return c.kind
		}
	}
	return ""
}
