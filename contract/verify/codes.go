package verify

import "kurir/problem"

// Test names a test: the folder of its package, and the function.
type Test struct{ Dir, Name string }

// Elsewhere are the codes that no answer to the tests of handlers has, each with a test that produces it. It is held to
// the tree by TestElsewhere, and to be no longer than needed by the tests of handlers.
func Elsewhere() map[problem.Code]Test {
	return map[problem.Code]Test{
		// Why a message waits.
		problem.Restricted:        {"app", "TestRestrictionSurvivesARestart"},
		problem.FirstContactLimit: {"app", "TestFirstContactLimit"},

		// At the addresses of other gateways, whose answers are not held to the contract.
		problem.FieldUnsupported: {"handlers", "TestFonnteRefuses"},

		// In the console, which shows the sentence and writes the code into the audit log.
		problem.OwnerOnly:       {"web", "TestEveryRouteHasItsGuard"},
		problem.UserExists:      {"web", "TestAnOwnerManagesPeople"},
		problem.UserNameInvalid: {"web", "TestTheFirstAccount"},
		problem.PasswordInvalid: {"web", "TestTheFirstAccount"},
		problem.LastOwner:       {"web", "TestAnOwnerManagesPeople"},
		problem.KeyChanged:      {"web", "TestTwoOwnersChangeAKey"},
	}
}
