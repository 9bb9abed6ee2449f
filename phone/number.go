package phone

import (
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// normalise turns a number (digits, perhaps a plus in front) into digits in international form. It reports
// false when no country has numbers like it.
func normalise(s, region string) (string, bool) {
	// No country code begins with a zero. +0812… and 000812… may be home numbers or slips: without their zeros they would be
	// somebody else's, in Japan.
	switch {
	case strings.HasPrefix(s, "+"):
		return international(strings.TrimPrefix(s[1:], "00"))
	case strings.HasPrefix(s, "00"):
		return international(s[2:])
	case strings.HasPrefix(s, "0"):
		return national(s, region)
	}

	// No sign of what it is. The documented form of `phone` is international without a plus, and people write
	// their own country's mobile numbers without the zero.
	own := strconv.Itoa(phonenumbers.GetCountryCodeForRegion(region))
	if strings.HasPrefix(s, own) {
		if d, ok := international(s); ok {
			return d, true
		}
	}
	if region == "ID" && s[0] == '8' && len(s) >= 9 && len(s) <= 12 {
		return national(s, region)
	}
	if n, err := phonenumbers.Parse(s, region); err == nil && mobile(n) {
		return national(s, region)
	}
	if d, ok := international(s); ok {
		return d, true
	}
	return national(s, region)
}

// mobile says whether n is known to be of a range for mobile phones.
func mobile(n *phonenumbers.PhoneNumber) bool {
	t := phonenumbers.GetNumberType(n)
	return t == phonenumbers.MOBILE || t == phonenumbers.FIXED_LINE_OR_MOBILE
}

// international checks digits that begin with a country code. They stay as they are but for a zero after the
// country code (6208…, a slip of spreadsheets) where the country does not dial it.
func international(digits string) (string, bool) {
	if digits == "" || digits[0] == '0' || len(digits) > 16 {
		return "", false
	}
	if complete(digits) {
		return digits, true
	}
	return parsed(digits)
}

// complete says whether digits are a country code and, without a zero between, a number of a length that the country has.
// Then parsed has nothing to add, which takes a text apart by regular expressions: a twentieth of an accepted message's
// whole cost. False says nothing.
func complete(digits string) bool {
	for i := 1; i <= 3 && i < len(digits) && len(digits) <= 15; i++ { // no country code begins another
		code, err := strconv.ParseUint(digits[:i], 10, 16)
		if err != nil {
			return false
		}
		if phonenumbers.GetRegionCodeForCountryCode(int(code)) == phonenumbers.UNKNOWN_REGION {
			continue
		}
		number, err := strconv.ParseUint(digits[i:], 10, 64)
		country := int32(code)
		return err == nil && digits[i] != '0' && possible(&phonenumbers.PhoneNumber{CountryCode: &country, NationalNumber: &number})
	}
	return false
}

// parsed is international for what is not complete.
func parsed(digits string) (string, bool) {
	n, err := phonenumbers.Parse("+"+digits, "ZZ")
	if err != nil {
		return "", false
	}
	code := strconv.Itoa(int(n.GetCountryCode()))
	if strings.HasPrefix(digits, code+"0") {
		digits = strings.TrimPrefix(phonenumbers.Format(n, phonenumbers.E164), "+")
	}
	// Mexico dropped the 1 of mobile numbers in 2019; accounts of before still have it.
	oldMexican := strings.HasPrefix(digits, "521") && len(digits) == 13
	return digits, (possible(n) || oldMexican) && len(digits) <= 15
}

// national reads s as a number of the region.
func national(s, region string) (string, bool) {
	if own, ok := strings.CutPrefix(s, "0"); ok && region == "ID" && complete("62"+own) {
		return "62" + own, true
	}
	return parsedAs(s, region)
}

func parsedAs(s, region string) (string, bool) {
	n, err := phonenumbers.Parse(s, region)
	if err != nil || !possible(n) {
		return "", false
	}
	digits := strings.TrimPrefix(phonenumbers.Format(n, phonenumbers.E164), "+")
	return digits, len(digits) <= 15
}

// possible checks the length only: ranges change faster than any table of them, and WhatsApp asks its own.
func possible(n *phonenumbers.PhoneNumber) bool {
	return phonenumbers.IsPossibleNumberWithReason(n) == phonenumbers.IS_POSSIBLE
}
