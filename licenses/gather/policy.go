package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// passable are licences that ask for no more than that their text goes along. Others, those above all that ask for the
// source of what they are in, are for people to look at before they are added here.
func passable() []string {
	return []string{"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}
}

// known are texts in which something else was found, or nothing, and somebody has read them.
func known() map[string]struct{ found, why string } {
	return map[string]struct{ found, why string }{
		"modernc.org/sqlite LICENSE-3RD-PARTY.md": {"MPL-2.0", "of golang-lru, which it says is in its module graph and compiled into nothing"},
		"modernc.org/sqlite LICENSE-SQLITE":       {"", "the public domain"},
		"modernc.org/memory LICENSE-LOGO":         {"", "the address of a picture in its README"},
		"swagger-ui-dist NOTICE":                  {"", "goes along as Apache-2.0 asks, and is no licence"},
	}
}

// grants are texts that give something beside a licence.
const grants = "GooglePatentsFile"

// wholeText is how much of a text, in percent, must be words of licences for it to be one.
const wholeText = 90

// judge fills in the licences of a component. It is an error when one of its texts has something in it that nobody has
// looked at, or when none is a licence.
func (c *component) judge() error {
	var wrong []error
	licensed := false
	for _, l := range c.Texts {
		cover := licensecheck.Scan([]byte(l.Text))
		exception, read := known()[c.Name+" "+l.Name]
		if len(cover.Match) == 0 && (!read || exception.found != "") {
			wrong = append(wrong, fmt.Errorf("%s: no licence is recognised in %s", c.Name, l.Name))
		}
		for _, m := range cover.Match {
			switch {
			case m.ID == grants || read && m.ID == exception.found:
			case !slices.Contains(passable(), m.ID):
				wrong = append(wrong, fmt.Errorf("%s: %s has %s in it", c.Name, l.Name, m.ID))
			case !slices.Contains(c.Licences, m.ID):
				c.Licences = append(c.Licences, m.ID)
				fallthrough
			default:
				licensed = licensed || cover.Percent >= wholeText
			}
		}
	}
	if !licensed {
		names := make([]string, len(c.Texts))
		for i, l := range c.Texts {
			names[i] = l.Name
		}
		wrong = append(wrong, fmt.Errorf("%s: none of its texts is a licence (%s)", c.Name, strings.Join(names, ", ")))
	}
	slices.Sort(c.Licences)
	return errors.Join(wrong...)
}
