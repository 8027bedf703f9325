package bitbucket

import (
	"regexp"
	"sync"
)

// masked stands where something looked like a secret.
const masked = "[masked]"

// secrets are the shapes of well-known keys, and of words that are said to be
// one. Bitbucket masks the secured variables of a build itself; this is a
// second net, for what a build prints of other places, and it has holes. They
// are compiled when there is a log to mask, and not whenever a program starts.
var secrets = sync.OnceValue(func() []secretShape {
	return []secretShape{
		{regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\z)`), masked},
		{regexp.MustCompile(`(?s)\A[^-]*-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----`), masked}, // one that began before
		{regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`), masked},
		{regexp.MustCompile(`\b(?:ghp|gho|ghu|ghs|ghr|glpat|github_pat|npm|pypi|sk|rk|pk|xox[abprs]|bg)[_-][A-Za-z0-9_-]{16,}`), masked},
		{regexp.MustCompile(`\bAT(?:ATT|BB|CTT|OA)[A-Za-z0-9_=.-]{10,}`), masked},
		{regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{30,}`), masked},
		{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`), masked},
		{regexp.MustCompile(`(?i)\b(authorization\s*[:=]\s*["']?(?:basic|bearer|token)\s+)[^\s"']+`), "${1}" + masked},
		{regexp.MustCompile(`(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{16,}`), "${1}" + masked},
		{regexp.MustCompile(`(://[^\s/:@]*:)[^\s/]+@`), "${1}" + masked + "@"},
		{regexp.MustCompile(`(?i)([a-z0-9_.-]*(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)[a-z0-9_.-]*["']?\s*[=:]\s*["']?)[^\s"',;]{4,}`), "${1}" + masked},
	}
})

type secretShape struct {
	shape *regexp.Regexp
	with  string
}

// maskSecrets replaces what looks like a secret.
func maskSecrets(text string) string {
	for _, s := range secrets() {
		text = s.shape.ReplaceAllString(text, s.with)
	}
	return text
}
