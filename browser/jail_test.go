package browser

import (
	"io/fs"
	"log/slog"
	"strings"
	"testing"
)

// TestWhyThereIsNoJail: the hint is about what is shut on this machine, and nothing else.
func TestWhyThereIsNoJail(t *testing.T) {
	t.Parallel()
	const (
		most     = "/proc/sys/user/max_user_namespaces"
		debian   = "/proc/sys/kernel/unprivileged_userns_clone"
		apparmor = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
	)
	for want, files := range map[string]map[string]string{
		"user.max_user_namespaces=10000":                 {most: "0\n", debian: "1\n"},
		"kernel.unprivileged_userns_clone=1":             {most: "96364\n", debian: "0\n"},
		"kernel.apparmor_restrict_unprivileged_userns=0": {most: "96364\n", debian: "1\n", apparmor: "1\n"},
		"seccomp profile":                                {most: "96364\n", debian: "1\n", apparmor: "0\n"},
		"chromium-sandbox":                               {},
	} {
		hint := jailHint(func(path string) ([]byte, error) {
			if text, there := files[path]; there {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		})
		if !strings.Contains(hint, want) || strings.Count(hint, "sysctl -w") > 1 {
			t.Errorf("%v: %s", files, hint)
		}
	}
}

// TestChromiumSaysThatItHasNoJail: it is heard in what Chromium writes, also before a trace of many lines and in a line that
// is cut, and not in anything else.
func TestChromiumSaysThatItHasNoJail(t *testing.T) {
	t.Parallel()
	trace := "\n" + strings.Repeat("#0 0x5581d5f2 <unknown>\n", 2*stderrTail)
	for said, want := range map[string]bool{
		"[1:ERROR:zygote_host_impl_linux.cc:130] No usable sandbox! If this is a Debian system, " + strings.Repeat("x", 2*stderrLine) + trace:                                                       true,
		"The setuid sandbox is not running as root. Common causes:\n  * An unprivileged process\nFailed to move to new namespace: PID namespaces supported, but failed: errno = 1" + trace:          true,
		"[1:FATAL:setuid_sandbox_host.cc:172] The SUID sandbox helper binary was found, but is not configured correctly. Rather than run without sandboxing I'm aborting now." + trace:              true,
		"[1:WARNING:sandbox_linux.cc:405] InitializeSandbox() called with multiple threads in process gpu-process.\n[1:ERROR:bus.cc:405] Failed to connect to the bus: no such file or directory\n": false,
	} {
		s := &stderrLog{log: slog.New(slog.DiscardHandler)}
		for rest := said; rest != ""; { // in pieces, as a pipe gives them
			piece := rest[:min(7, len(rest))]
			_, _ = s.Write([]byte(piece))
			rest = rest[len(piece):]
		}
		if s.noJail() != want {
			t.Errorf("%t for %.80q", !want, said)
		}
	}
}
