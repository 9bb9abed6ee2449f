package handlers

import (
	"path/filepath"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"kurir/browser"
)

// kindOf decides how a file travels: as what WhatsApp shows or plays, else as a document.
func kindOf(mimeType string) browser.Kind {
	switch mimeType {
	case "image/jpeg", "image/png", "image/webp":
		return browser.KindImage
	case "video/mp4", "video/3gpp":
		return browser.KindVideo
	case "audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "audio/amr":
		return browser.KindAudio
	}
	return browser.KindDocument
}

// mimeType decides a file's type by its content. Its name only says more where the content says little.
func mimeType(head []byte, name string) string {
	return refine(mimetype.Detect(head).String(), name)
}

// refine brings a sniffed type to the form that WhatsApp uses, and lets the extension decide among types whose
// content looks the same: an .xlsx is a zip, a .csv is text.
func refine(sniffed, name string) string {
	sniffed, _, _ = strings.Cut(sniffed, ";")
	ext := strings.ToLower(filepath.Ext(name))
	switch sniffed {
	case "application/zip":
		return orElse(zipTypes(ext), sniffed)
	case "text/plain":
		return orElse(textTypes(ext), sniffed)
	case "application/x-ole-storage":
		return orElse(oleTypes(ext), sniffed)
	case "audio/x-m4a":
		return "audio/mp4"
	case "application/ogg":
		return "audio/ogg"
	case "video/x-m4v":
		return "video/mp4"
	}
	return sniffed
}

func zipTypes(ext string) string {
	const office = "application/vnd.openxmlformats-officedocument."
	switch ext {
	case ".docx":
		return office + "wordprocessingml.document"
	case ".xlsx":
		return office + "spreadsheetml.sheet"
	case ".pptx":
		return office + "presentationml.presentation"
	case ".apk":
		return "application/vnd.android.package-archive"
	}
	return ""
}

func textTypes(ext string) string {
	switch ext {
	case ".csv":
		return "text/csv"
	case ".vcf":
		return "text/vcard"
	case ".ics":
		return "text/calendar"
	case ".html", ".htm":
		return "text/html"
	case ".json":
		return "application/json"
	case ".xml":
		return "text/xml"
	}
	return ""
}

func oleTypes(ext string) string {
	switch ext {
	case ".doc":
		return "application/msword"
	case ".xls":
		return "application/vnd.ms-excel"
	case ".ppt":
		return "application/vnd.ms-powerpoint"
	}
	return ""
}

func orElse(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}
