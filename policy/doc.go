// Package policy decides what a caller may reach in Bitbucket, and hands out
// values that prove it.
//
// The rules, in the order in which a name meets them:
//
//  1. Grammar. A name from a caller, or a row from Bitbucket, is a plain slug
//     or branch name; anything else is refused before a pattern sees it
//     (names.go).
//  2. Patterns. A pattern must match the whole name. An empty list means all,
//     an exclude list wins over its include list (rule.allows in rule.go is
//     the only place where a scope's patterns are enforced).
//  3. One scope. Repository, branch and action are judged by the same scope:
//     a checked value carries the scopes that still allow it, each step drops
//     those that do not, and none adds one (call.go, workspace.go, repo.go).
//  4. Anything unclear means no: the zero value of every type here allows
//     nothing.
//
// [Repo], [Branch] and [Workspace] are sealed: only this package can fill
// them, and every method of the Bitbucket client that touches a repository
// takes one. The package leans on nothing of ours, and on no network, file,
// process or reflection package.
package policy
