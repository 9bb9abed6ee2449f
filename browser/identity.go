package browser

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"runtime"
	"strings"

	"github.com/go-rod/rod/lib/proto"
	"golang.org/x/sys/unix"
)

// identity is what the page is told about its browser: the ordinary desktop Chrome of the version that runs.
// Nothing is invented but the name: a version that does not fit the engine would be seen at once.
type identity struct {
	major, full string // "156", "156.0.8078.79"
	language    string
}

var versionPattern = regexp.MustCompile(`(\d+)\.\d+\.\d+\.\d+`)

// newIdentity takes the version out of what the binary says ("Chromium 156.0.8078.79").
func newIdentity(version, language string) (identity, error) {
	m := versionPattern.FindStringSubmatch(version)
	if m == nil {
		return identity{}, fmt.Errorf("read Chromium's version: no version in %q", version)
	}
	return identity{major: m[1], full: m[0], language: language}, nil
}

// userAgent is Chrome's, with the minor numbers as zeros as Chrome itself sends it since version 101.
func (i identity) userAgent() string {
	return "Mozilla/5.0 (X11; Linux " + processor() + ") AppleWebKit/537.36 (KHTML, like Gecko) Chrome/" + i.major +
		".0.0.0 Safari/537.36"
}

// processor is its's name in the user agent.
func processor() string {
	if runtime.GOARCH == "arm64" {
		return "aarch64"
	}
	return "x86_64"
}

// override is the user agent with its client hints (Sec-CH-UA and navigator.userAgentData) and languages.
func (i identity) override() proto.EmulationSetUserAgentOverride {
	architecture := "x86"
	if runtime.GOARCH == "arm64" {
		architecture = "arm"
	}
	return proto.EmulationSetUserAgentOverride{
		UserAgent:      i.userAgent(),
		AcceptLanguage: i.languages(),
		Platform:       "Linux " + processor(),
		UserAgentMetadata: &proto.EmulationUserAgentMetadata{
			Brands:          i.brands(i.major, ""),
			FullVersionList: i.brands(i.full, ".0.0.0"),
			FullVersion:     i.full,
			Platform:        "Linux",
			PlatformVersion: kernelVersion(),
			Architecture:    architecture,
			Bitness:         "64",
		},
	}
}

// languages is what the page gets as navigator.languages and Accept-Language; empty leaves Chromium's own.
func (i identity) languages() string {
	if i.language == "" {
		return ""
	}
	return acceptLanguages(i.language)
}

// brands is the list of Sec-CH-UA. Chrome puts a nonsense brand among the two real ones, so that servers do not
// rely on the list; text, version and place follow from the major version, by the rule in Chromium's
// components/embedder_support/user_agent_utils.cc.
func (i identity) brands(version, greaseSuffix string) []*proto.EmulationUserAgentBrandVersion {
	seed := 0
	for _, c := range i.major {
		seed = seed*10 + int(c-'0')
	}
	chars := []string{" ", "(", ":", "-", ".", "/", ")", ";", "=", "?", "_"}
	versions := []string{"8", "99", "24"}
	orders := [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	order := orders[seed%len(orders)]

	list := make([]*proto.EmulationUserAgentBrandVersion, 3)
	list[order[0]] = &proto.EmulationUserAgentBrandVersion{
		Brand:   "Not" + chars[seed%len(chars)] + "A" + chars[(seed+1)%len(chars)] + "Brand",
		Version: versions[seed%len(versions)] + greaseSuffix,
	}
	list[order[1]] = &proto.EmulationUserAgentBrandVersion{Brand: "Chromium", Version: version}
	list[order[2]] = &proto.EmulationUserAgentBrandVersion{Brand: "Google Chrome", Version: version}
	return list
}

// kernelVersion is what Chrome on Linux gives as platform version: the first three numbers of the kernel's.
func kernelVersion() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	release, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), "-")
	return release
}

// apply gives the page of a session its identity, its screen and the right to keep its storage.
func (i identity) apply(ctx context.Context, c *conn, page proto.TargetSessionID, address string) error {
	if err := i.override().Call(c.on(ctx, page)); err != nil {
		return fmt.Errorf("set the user agent: %w", err)
	}
	width, height := screenWidth, screenHeight
	err := proto.EmulationSetDeviceMetricsOverride{
		Width: screenWidth, Height: viewHeight, DeviceScaleFactor: 1,
		ScreenWidth: &width, ScreenHeight: &height,
	}.Call(c.on(ctx, page))
	if err != nil {
		return fmt.Errorf("set the screen: %w", err)
	}
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("read the page's address: %w", err)
	}
	// Without it the profile's storage, and with it the link, is evicted when the disk gets full.
	err = proto.BrowserSetPermission{
		Permission: &proto.BrowserPermissionDescriptor{Name: "persistent-storage"},
		Setting:    proto.BrowserPermissionSettingGranted,
		Origin:     u.Scheme + "://" + u.Host,
	}.Call(c.on(ctx, ""))
	if err != nil {
		return fmt.Errorf("grant durable storage: %w", err)
	}
	return nil
}
