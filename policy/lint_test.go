package policy

import (
	"regexp/syntax"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLintHasNothingToSay(t *testing.T) {
	good := map[Kind][]string{
		RepositoryPattern: {
			`^duplocloud-.*`, `(?i)team-a-.*`, `(?i)Team-A-.*`, `[a-z]+-service`, `^(api|web)-.*$`, `.*`, `^.*$`, `.+`, `(.*)`,
			`api`, `api|web`, `my\.repo`, `my[.]repo`, `a.*b`, `a.+b`, `a.{3}b`, `team-.`, `[a-z0-9_.-]+`, `[a-zA-Z]+-x`, `[Aa]pi`,
			`\.github`, `\Qmy.repo\E`, `services?-api`, `^foo-$`, `api(-v2)?`, `x{2}-y`, `[^/]+`, `(?:api|web)-[0-9]+`, `\w+`, `a|b`,
		},
		BranchPattern: {
			`^main$`, `main|develop`, `^main$|^develop$`, `^(main|develop)$`, `feature/.*`, `^feature/.*`, `release/\d+\.\d+`, `.*`,
			`(main|feature/.*)`, `JIRA-\d+`, `[A-Z]+-\d+/.*`, `origin`, `refs-fix`, `hotfix/[^/]+`, `users/.*/.*`, `a{b}`, `v\d+(\.\d+)*`,
			`fix#12`, `äpfel/.*`, `\p{Greek}+`, `(?-i)main`, `(?P<id>main)`, `[A-Za-z]+`,
		},
	}
	for kind, patterns := range good {
		for _, pattern := range patterns {
			assert.Empty(t, Lint(kind, pattern), pattern)
		}
	}
}

func TestLintIsSilentAboutWhatDoesNotCompile(t *testing.T) {
	assert.Nil(t, Lint(RepositoryPattern, `(?!x)`))
	assert.Nil(t, Lint(BranchPattern, `*`))
}

func TestLint(t *testing.T) {
	const repo, branch = RepositoryPattern, BranchPattern
	tests := []struct {
		kind    Kind
		pattern string
		want    []string
	}{
		// A prefix without .* behind it.
		{branch, `^feature/`, []string{`matches only the name 'feature/'; for names that begin with it write ^feature/.*`}},
		{branch, `feature/`, []string{`matches only the name 'feature/'; for names that begin with it write feature/.*`}},
		{branch, `^feature/$`, []string{`matches only the name 'feature/'; for names that begin with it write ^feature/.*$`}},
		{branch, `^main`, []string{`matches only the name 'main'; for names that begin with it write ^main.*`}},
		{branch, `^(feature|release)/`, []string{`matches only the names 'feature/' and 'release/'; for names that begin with one of them write ^(feature|release)/.*`}},
		{branch, `^feature/|^release/`, []string{
			`matches only the name 'feature/'; for names that begin with it write ^feature/.*`,
			`matches only the name 'release/'; for names that begin with it write ^release/.*`,
		}},
		{repo, `duplocloud-`, []string{`matches only the name 'duplocloud-'; for names that begin with it write duplocloud-.*`}},
		{repo, `(?i)^Duplocloud-`, []string{`matches only the name 'duplocloud-' in upper or lower case; for names that begin with it write (?i)^Duplocloud-.*`}},
		{repo, `v1\.`, []string{`matches only the name 'v1.'; for names that begin with it write v1\..*`}},
		{repo, `\Qduplo.x-`, []string{`matches only the name 'duplo.x-'; for names that begin with it write \Qduplo.x-\E.*`}},
		{repo, `-service`, []string{`matches only the name '-service'; for names that end with it write .*-service`}},
		{repo, `service$`, []string{`matches only the name 'service'; for names that end with it write .*service$`}},

		// Anchors on single sides.
		{branch, `^main|develop$`, []string{`'^' and '$' stand on single sides of the '|', but each side must match the whole name: it matches exactly 'main' and 'develop'; write main|develop`}},
		{branch, `^main|release|develop`, []string{`'^' and '$' stand on single sides of the '|', but each side must match the whole name: it matches exactly 'main', 'release' and 'develop'; write main|release|develop`}},
		{branch, `^main|feature/.*$`, []string{`'^' and '$' stand on single sides of the '|', but each side must match the whole name; write main|feature/.*`}},
		{branch, `^feature/|main`, []string{
			`'^' and '$' stand on single sides of the '|', but each side must match the whole name: it matches exactly 'feature/' and 'main'; write feature/.*|main`,
			`matches only the name 'feature/'; for names that begin with it write ^feature/.*`,
		}},

		// Dots.
		{repo, `my.repo`, []string{`matches 'myxrepo' too, as '.' stands for any character; for a dot write my\.repo`}},
		{repo, `^a.b.c$`, []string{`matches 'axbxc' too, as '.' stands for any character; for a dot write ^a\.b\.c$`}},
		{branch, `release/\d+.\d+`, []string{`'.' stands for any character here; for a dot write release/\d+\.\d+`}},
		{branch, `release/1.2.*`, []string{`'.' stands for any character here; for a dot write release/1\.2.*`}},
		{repo, `my.repo\.x`, []string{`'.' stands for any character here; for a dot write my\.repo\.x`}},

		// Globs.
		{repo, `duplocloud-*`, []string{`'*' means zero or more '-', not any text; for any text write duplocloud-.*`}},
		{branch, `feature/*`, []string{`'*' means zero or more '/', not any text; for any text write feature/.*`}},
		{branch, `feature\/*`, []string{`'*' means zero or more '\/', not any text; for any text write feature\/.*`}},
		{repo, `api*-web*`, []string{`'*' means zero or more 'i', not any text; for any text write api.*-web.*`}},
		{repo, `^*-service$`, []string{`'*' means zero or more '^', not any text; for any text write ^.*-service$`}},
		{branch, `^*-a|b`, []string{`'*' means zero or more '^', not any text; for any text write ^.*-a|b`}},
		{repo, `{api,web}-.*`, []string{`the braces are characters of the name, not a choice; write (api|web)-.*`}},

		// Delimiters, spaces.
		{branch, `/^main$/`, []string{`the slashes around it are part of the pattern, not delimiters; write ^main$`}},
		{branch, `/main/i`, []string{
			`the slashes around it are part of the pattern, not delimiters; write (?i)main`,
		}},
		{repo, `/^api-.*$/`, []string{`the slashes around it are part of the pattern, not delimiters; write ^api-.*$`}},
		{branch, ` `, []string{`holds only spaces, and no branch name has one`}},
		{branch, `main\ `, []string{`ends with a space, and no branch name has one`}},
		{branch, ` main`, []string{`begins with a space, and no branch name has one; write main`}},
		{repo, "api ", []string{`ends with a space, and no repository name has one; write api`}},
		{repo, " my.repo\t", []string{
			`begins and ends with a space, and no repository name has one; write my.repo`,
			`matches 'myxrepo' too, as '.' stands for any character; for a dot write my\.repo`,
		}},

		// Slugs.
		{repo, `Duplocloud-.*`, []string{`a slug is in lower case, so 'D' never matches; write duplocloud-.*`}},
		{repo, `api|Web\D`, []string{`a slug is in lower case, so 'W' never matches; write api|web\D`}},
		{repo, `[A-Z]+-x`, []string{`a slug is in lower case, so 'A' never matches; write [a-z]+-x`}},
		{repo, `\QApi.X\E`, []string{`a slug is in lower case, so 'A' never matches; write \Qapi.x\E`}},
		{repo, `duplo/web-.*`, []string{`a repository pattern matches the slug, not workspace/slug; leave out the '/' and what stands before it: write web-.*`}},
		{repo, `^duplo\/web$`, []string{`a repository pattern matches the slug, not workspace/slug; leave out the '/' and what stands before it: write ^web$`}},
		{repo, `(duplo/web|duplo/api)`, []string{`a repository pattern matches the slug, not workspace/slug; leave out the '/' and what stands before it`}},
		{repo, `duplo/`, []string{`a repository pattern matches the slug, not workspace/slug; leave out the '/' and what stands before it`}},

		// Classes.
		{branch, `[a-z&&[^b]]`, []string{`'&&' inside [ ] is no intersection, and the class ends at its first ']'; list the characters that are meant, or use the exclude list`}},
		{branch, `[A-z]+`, []string{"the range A-z also holds [ \\ ] ^ _ and `; write A-Za-z"}},
		{branch, `[]A-z]+`, []string{"the range A-z also holds [ \\ ] ^ _ and `; write A-Za-z"}},
		{repo, `[0-9A-z]+`, []string{"the range A-z also holds [ \\ ] ^ _ and `; write a-z"}},

		// The names of branches.
		{branch, `refs/heads/main`, []string{`a branch name has no refs/heads/ before it; write main`}},
		{branch, `^refs\/heads\/feature/.*$`, []string{`a branch name has no refs/heads/ before it; write ^feature/.*$`}},
		{branch, `refs/heads/`, []string{`a branch name has no refs/heads/ before it; write .*`}},
		{branch, `^refs/heads/main$|^refs/heads/x/.*$`, []string{`a branch name has no refs/heads/ before it; write ^main$|^x/.*$`}},
		{branch, `refs/heads/*`, []string{
			`a branch name has no refs/heads/ before it; write .*`,
			`'*' means zero or more '/', not any text; for any text write refs/heads/.*`,
		}},
		{branch, `origin/main`, []string{`origin/ names a remote and is no part of a branch name; write main`}},
		{branch, `(?i)main`, []string{`(?i) ignores case, but Bitbucket does not: of two branches that differ only in case both match`}},
		{branch, `feature/(?i:x).*`, []string{`(?i) ignores case, but Bitbucket does not: of two branches that differ only in case both match`}},

		// The empty name, and every name.
		{branch, `^main$|`, []string{`the empty side of the '|' matches only the empty name, which no branch has; leave it out, or if all names are meant write .*`}},
		{repo, `|api-.*`, []string{`the empty side of the '|' matches only the empty name, which no repository has; leave it out, or if all names are meant write .*`}},
		{repo, `(foo)?`, []string{`matches the empty name too, which no repository has; leave that out, or if all names are meant write .*`}},
		{repo, `(foo|)`, []string{`matches the empty name too, which no repository has; leave that out, or if all names are meant write .*`}},
		{branch, `^$`, []string{`matches only the empty name, which no branch has; if all names are meant write .*`}},
		{repo, `()`, []string{`matches only the empty name, which no repository has; if all names are meant write .*`}},
		{branch, `main|.*`, []string{`matches every name; if that is meant write .*`}},
		{repo, `(foo)?.*`, []string{`matches every name; if that is meant write .*`}},
		{repo, `(.+|api)`, []string{`matches every name; if that is meant write .*`}},
		{repo, `(?:x*)[a-z0-9_.-]*`, []string{
			`'*' means zero or more 'x', not any text; for any text write (?:x.*)[a-z0-9_.-]*`,
			`matches every name; if that is meant write .*`,
		}},

		// No name at all.
		{repo, `my repo`, []string{`matches no name: it demands " ", which no repository name has`}},
		{repo, `.*@team`, []string{`matches no name: it demands "@", which no repository name has`}},
		{repo, `(a@|b@).*`, []string{`matches no name: it demands "@", which no repository name has`}},
		{repo, `(?i)É.*`, []string{`matches no name: it demands "É", which no repository name has`}},
		{branch, `feature:.*`, []string{`matches no name: it demands ":", which no branch name has`}},
		{branch, `main$x.*`, []string{`matches no branch name`}},
		{branch, `(a|b)+^main`, []string{`matches no branch name`}},
		{repo, `[@!]+`, []string{`matches no repository name`}},
		{branch, `a..b`, nil},
		{branch, `a\.\.b`, []string{`matches no name: 'a..b' is no branch name, as '..' is revision syntax; name one branch`}},
		{branch, `HEAD`, []string{`matches no name: 'HEAD' is no branch name, as it names a revision, not a branch`}},

		// Several at once.
		{repo, `Duplo.cloud-*`, []string{
			`a slug is in lower case, so 'D' never matches; write duplo.cloud-*`,
			`'*' means zero or more '-', not any text; for any text write Duplo.cloud-.*`,
			`'.' stands for any character here; for a dot write Duplo\.cloud-*`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.kind.noun()+" "+tt.pattern, func(t *testing.T) {
			assert.Equal(t, tt.want, Lint(tt.kind, tt.pattern))
		})
	}
}

// A pattern that is too large to be searched for names is not called dead.
func TestLintOfLargePatterns(t *testing.T) {
	for _, pattern := range []string{
		`(` + strings.Repeat(`[a-z]`, 90) + `){900}`,
		strings.Repeat(`(a|b)?`, 80),
		strings.Repeat(`(`, 200) + `a` + strings.Repeat(`)`, 200),
	} {
		assert.NotContains(t, Lint(RepositoryPattern, pattern), `matches no repository name`)
	}
}

func FuzzLint(f *testing.F) {
	for _, pattern := range []string{`^feature/`, `/^main$/`, `[A-z&&[^b]]`, `\Qa`, `(?i)^a|`, `^refs/heads/x*`, `{a,b}{2}`, ` \ `} {
		f.Add(pattern)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		if len(pattern) > maxPatternBytes || !utf8.ValidString(pattern) {
			return
		}
		for _, kind := range []Kind{RepositoryPattern, BranchPattern} {
			for _, words := range Lint(kind, pattern) {
				if i := strings.LastIndex(words, " write "); i >= 0 && !strings.Contains(pattern, "write") {
					_, err := syntax.Parse(words[i+len(" write "):], syntax.Perl)
					require.NoErrorf(t, err, "%q: %s", pattern, words)
				}
			}
		}
	})
}
