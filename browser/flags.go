package browser

import (
	"fmt"
	"path/filepath"
	"strings"
)

// The window of an ordinary small laptop: what a maximised Chrome has on a screen of 1366×768 with a task bar.
const (
	screenWidth, screenHeight = 1366, 768
	windowHeight              = 728 // screen less task bar
	viewHeight                = 641 // window less tabs and address bar
)

// flags returns Chromium's command line. Each flag has its reason; a flag without one is not here.
func flags(o launchOptions) []string {
	args := []string{
		"--user-data-dir=" + o.ProfileDir,
		// The protocol on fds 3 and 4; no TCP port. The page must not learn of it: navigator.webdriver false.
		"--remote-debugging-pipe",
		"--disable-blink-features=AutomationControlled",
		// One page, which kurir opens itself; no first-run tabs and questions.
		"--no-startup-window", "--no-first-run", "--no-default-browser-check",
		// The page opens no window. A switch of the headless shell; a full Chromium has its popup blocker, and fence.go closes
		// what gets past it, which can be after its first request.
		"--block-new-web-contents",
		// Nothing goes out but what the page asks for: no update checks, no sync, no field trials, no reports.
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-default-apps", "--disable-breakpad", "--no-pings", "--metrics-recording-only",
		// A page that nobody looks at must not be slowed down: timers, queues and sockets run as in front.
		"--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows",
		"--disable-renderer-backgrounding",
		// No keyring of a desktop: the profile must open wherever its folder is.
		"--password-store=basic",
		// DOM storage goes to disk within a second and not five: a link is safe the sooner.
		"--enable-aggressive-domstorage-flushing",
		// A container's /dev/shm has 64 MB, less than the page's script; use TMPDIR.
		"--disable-dev-shm-usage",
		// Nobody sees or hears it. No graphics driver and no emulation of one (15 MB): as on many a virtual
		// desktop, WebGL is absent. What GPU code remains, and the network's, run in the browser process (10 MB).
		"--mute-audio", "--disable-gpu", "--disable-software-rasterizer", "--in-process-gpu",
		"--enable-features=NetworkServiceInProcess2",
		// The second template process forks only helpers that are not started here (8 MB).
		"--no-unsandboxed-zygote",
		"--disable-features=" + strings.Join([]string{
			"Translate",                      // offers and downloads
			"OptimizationHints",              // background downloads
			"MediaRouter",                    // looks for Chromecasts on the network
			"SpareRendererForSitePerProcess", // a second renderer in waiting
		}, ","),
		fmt.Sprintf("--window-size=%d,%d", screenWidth, windowHeight), "--window-position=0,0",
	}
	if !strings.Contains(filepath.Base(o.Binary), headlessShell) {
		args = append(args, "--headless=new") // the shell is headless by birth
	}
	if o.UserAgent != "" {
		// The page's identity is set by the protocol; this one is for what has no page, like service workers.
		args = append(args, "--user-agent="+o.UserAgent)
	}
	if o.Language != "" {
		args = append(args, "--lang="+o.Language, "--accept-lang="+acceptLanguages(o.Language))
	}
	if !Jailed() {
		args = append(args, "--no-sandbox")
	}
	return append(args, o.ExtraArgs...)
}

// acceptLanguages returns what a browser in language asks for: the language, its base, and English.
func acceptLanguages(language string) string {
	list := []string{language}
	base, _, regional := strings.Cut(language, "-")
	if regional {
		list = append(list, base)
	}
	if base != "en" {
		list = append(list, "en-US", "en")
	}
	return strings.Join(list, ",")
}
