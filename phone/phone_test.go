package phone

import (
	"strings"
	"testing"

	"kurir/problem"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in, region string
		wid              string // "" = INVALID_PHONE
		kind             Kind
	}{
		// The table of spec/conventions.md.
		{"trunk zero", "081234567890", "ID", "6281234567890@c.us", User},
		{"trunk zero, default region", "081234567890", "", "6281234567890@c.us", User},
		{"no zero, 9 digits", "812345678", "ID", "62812345678@c.us", User},
		{"no zero, 11 digits", "81234567890", "ID", "6281234567890@c.us", User},
		{"no zero, 12 digits", "819012345678", "ID", "62819012345678@c.us", User},
		{"country code", "6281234567890", "ID", "6281234567890@c.us", User},
		{"the sample's", "62812345678", "ID", "62812345678@c.us", User},
		{"plus", "+6281234567890", "ID", "6281234567890@c.us", User},
		{"plus, spaced and dashed", "+62 812-3456-7890", "ID", "6281234567890@c.us", User},
		{"dots", "0812.3456.7890", "ID", "6281234567890@c.us", User},
		{"brackets", "(0812) 3456 7890", "ID", "6281234567890@c.us", User},
		{"one dash", "0812-34567890", "ID", "6281234567890@c.us", User},
		{"0062", "006281234567890", "ID", "6281234567890@c.us", User},
		{"6208", "62081234567890", "ID", "6281234567890@c.us", User},
		{"62 08", "62 0812 3456 7890", "ID", "6281234567890@c.us", User},
		{"+62 (0)", "+62 (0) 812 3456 7890", "ID", "6281234567890@c.us", User},
		{"00620", "0062081234567890", "ID", "6281234567890@c.us", User},
		{"jid", "6281234567890@s.whatsapp.net", "ID", "6281234567890@c.us", User},
		{"jid with device", "6281234567890:12@s.whatsapp.net", "ID", "6281234567890@c.us", User},
		{"wid", "6281234567890@c.us", "ID", "6281234567890@c.us", User},
		{"server in capitals", "6281234567890@C.US", "ID", "6281234567890@c.us", User},
		{"lid", "123456789012345@lid", "ID", "123456789012345@lid", LID},
		{"newsletter", "120363012345678901@newsletter", "ID", "120363012345678901@newsletter", Newsletter},
		{"status", "status@broadcast", "ID", "status@broadcast", Broadcast},
		{"group", "120363012345678901@g.us", "ID", "120363012345678901@g.us", Group},
		{"old group", "6281234567890-1612345678@g.us", "ID", "6281234567890-1612345678@g.us", Group},
		{"old group without server", "6281234567890-1612345678", "ID", "6281234567890-1612345678@g.us", Group},
		{"18 digits", "120363012345678901", "ID", "120363012345678901@g.us", Group},

		// What else arrives.
		{"marks of a telephone book", "\u202a+62 812\u20113456\u20117890\u202c", "ID", "6281234567890@c.us", User},
		{"no-break space", "+62\u00a0812\u00a03456\u00a07890", "ID", "6281234567890@c.us", User},
		{"arabic digits", "٠٨١٢٣٤٥٦٧٨٩٠", "ID", "6281234567890@c.us", User},
		{"through a float", "6281234567890.0", "ID", "6281234567890@c.us", User},
		{"line end", "081234567890\r\n", "ID", "6281234567890@c.us", User},
		{"never a lid by length", "123456789012345", "ID", "", ""},
		{"Jakarta fixed line", "021-5551234", "ID", "62215551234@c.us", User},
		{"other country, plus", "+65 9123 4567", "ID", "6591234567@c.us", User},
		{"other country, no plus", "6591234567", "ID", "6591234567@c.us", User},
		{"London", "447911123456", "ID", "447911123456@c.us", User},
		{"New York", "12025550123", "ID", "12025550123@c.us", User},
		{"China, 13 digits with 8", "8613812345678", "ID", "8613812345678@c.us", User},
		{"Brazil without the ninth", "+55 11 8765 4321", "ID", "551187654321@c.us", User},
		{"Brazil with it", "5511987654321", "ID", "5511987654321@c.us", User},
		{"Mexico with the 1", "+52 1 55 1234 5678", "ID", "5215512345678@c.us", User},
		{"Mexico without", "+525512345678", "ID", "525512345678@c.us", User},
		{"Italy keeps its zero", "+39 06 1234 5678", "ID", "390612345678@c.us", User},
		{"US region", "(202) 555-0123", "US", "12025550123@c.us", User},
		{"US region, small letters", "2025550123", "us", "12025550123@c.us", User},
		{"Singapore region", "91234567", "SG", "6591234567@c.us", User},
		{"Singapore's own 65…", "65551234", "SG", "6565551234@c.us", User},
		{"Malaysia region", "012-345 6789", "MY", "60123456789@c.us", User},
		{"Germany region", "0151 23456789", "DE", "4915123456789@c.us", User},

		{"empty", "", "ID", "", ""},
		{"blank", "   ", "ID", "", ""},
		{"sample's xxx", "62812345678xxx", "ID", "", ""},
		{"word", "halo", "ID", "", ""},
		{"too short", "12345", "ID", "", ""},
		{"62 only", "62", "ID", "", ""},
		{"plus only", "+", "ID", "", ""},
		{"plus before a home number", "+0812-3456-7890", "ID", "", ""},
		{"plus before 00", "+006281234567890", "ID", "6281234567890@c.us", User},
		{"00 before a home number", "00081234567890", "ID", "", ""},
		{"plus within", "62+81234567890", "ID", "", ""},
		{"16 digits", "6281234567890123", "ID", "", ""},
		{"exponent", "6.28123E+12", "ID", "", ""},
		{"two numbers", "081234567890,081234567891", "ID", "", ""},
		{"no such country", "+99912345678", "ID", "", ""},
		{"zero before @", "081234567890@c.us", "ID", "", ""},
		{"unknown server", "6281234567890@example.com", "ID", "", ""},
		{"two ats", "628123@c.us@g.us", "ID", "", ""},
		{"no user", "@g.us", "ID", "", ""},
		{"letters before @lid", "abc@lid", "ID", "", ""},
		{"markup", "<script>alert(1)</script>", "ID", "", ""},
		{"very long", strings.Repeat("9", 5000), "ID", "", ""},
		{"dashes", "---", "ID", "", ""},
		{"many dashes and digits", "1-2-0-3-6-3-0-1-2-3-4-5-6-7-8-9-0-1", "ID", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(tt.in, tt.region)
			if tt.wid == "" {
				if problem.CodeOf(err) != problem.InvalidPhone {
					t.Fatalf("Parse(%q) = %+v, %v; want INVALID_PHONE", tt.in, got, err)
				}
				if strings.ContainsAny(err.Error(), "<>\n") {
					t.Errorf("error %q repeats markup", err)
				}
				return
			}
			if err != nil {
				t.Fatalf("Parse(%q): %v", tt.in, err)
			}
			if got.WID != tt.wid || got.Kind != tt.kind {
				t.Errorf("Parse(%q) = %s %s; want %s %s", tt.in, got.WID, got.Kind, tt.wid, tt.kind)
			}
			if phone := strings.TrimSuffix(got.WID, "@c.us"); tt.kind == User && got.Phone != phone || tt.kind != User && got.Phone != "" {
				t.Errorf("Phone = %q of %s", got.Phone, got.WID)
			}
		})
	}
}

// What Parse prints, it must read back as the same target, in any region.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"081234567890", "+62 812-3456-7890", "6281234567890-1612345678", "120363012345678901@g.us", "status@broadcast", "1@lid", "٠٨"} {
		f.Add(s, "ID")
	}
	f.Fuzz(func(t *testing.T, in, region string) {
		got, err := Parse(in, region)
		if err != nil {
			if problem.CodeOf(err) != problem.InvalidPhone {
				t.Fatalf("Parse(%q): %v", in, err)
			}
			return
		}
		again, err := Parse(got.WID, "US")
		if err != nil || again != got {
			t.Fatalf("Parse(%q) = %+v, but Parse(%q) = %+v, %v", in, got, got.WID, again, err)
		}
	})
}

func TestValidRegion(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]bool{"ID": true, "US": true, "MY": true, "": false, "XX": false, "id": false, "Indonesia": false} {
		if ValidRegion(region) != want {
			t.Errorf("ValidRegion(%q) = %v", region, !want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse("6281234567890", "ID"); err != nil {
			b.Fatal(err)
		}
	}
}
