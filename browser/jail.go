package browser

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Jailed says whether Chromium's own sandbox is on: always, but for root, with whom Chromium does not start otherwise.
// Where it cannot be on Chromium does not start at all: see ErrNoJail.
func Jailed() bool { return os.Geteuid() != 0 }

// ErrNoJail says that Chromium has not started since its own sandbox cannot be on here. The errors around it say what
// to do.
var ErrNoJail = errors.New("its own sandbox cannot be on")

// jailWords are what Chromium says when it ends for want of its sandbox. They are of zygote_host_impl_linux.cc,
// setuid_sandbox_host.cc and the setuid helper, as builds 150 to 156 of Debian were heard to say them.
func jailWords() []string {
	return []string{"No usable sandbox!", "Failed to move to new namespace", "The SUID sandbox helper binary was found, but"}
}

func saysNoJail(line string) bool {
	for _, words := range jailWords() {
		if strings.Contains(line, words) {
			return true
		}
	}
	return false
}

// noJail is the error of a Chromium that has ended for want of its sandbox, with what forbids it on this machine.
func noJail() error {
	return fmt.Errorf("start Chromium: %w: %s", ErrNoJail, jailHint(os.ReadFile))
}

// jailHint says why a user may have no namespaces here, and what to do. The switches are the kernel's (user_namespaces(7))
// and those that Debian and Ubuntu added to it; read reads their files. Where all are open a container's seccomp profile
// forbids it, or nobody knows what.
func jailHint(read func(path string) ([]byte, error)) string {
	for _, s := range []struct{ file, shut, todo string }{
		{"/proc/sys/user/max_user_namespaces", "0", "this machine allows no user namespaces. As root: sysctl -w user.max_user_namespaces=10000"},
		{"/proc/sys/kernel/unprivileged_userns_clone", "0", "this machine allows user namespaces to root alone. As root: sysctl -w kernel.unprivileged_userns_clone=1"},
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor allows user namespaces to programs with a profile alone. Give Chromium one with the line \"userns,\", " +
			"or as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
	} {
		if b, err := read(s.file); err == nil && strings.TrimSpace(string(b)) == s.shut {
			return s.todo + " (and the same in /etc/sysctl.d, to keep it)"
		}
	}
	return "this container or service may make no user namespaces. Docker: a seccomp profile that allows clone and unshare, as in compose.yaml; " +
		"systemd: no RestrictNamespaces; or install the package chromium-sandbox"
}
