package manage

import "strings"

// SecretWords are what the name of a field has in it whose value is a secret.
var SecretWords = []string{"key", "token", "secret", "password", "passwd", "passphrase", "pwd", "credential", "private", "auth", "cookie", "signature"}

// LooksSecret reports whether a field of this name holds a secret, as far as
// its name can tell. A form turns Sensitive on for it; a person may turn it
// off again.
func LooksSecret(name string) bool {
	name = strings.ToLower(name)
	for _, word := range SecretWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
