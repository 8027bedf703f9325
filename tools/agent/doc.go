// Package agent holds the tools of an agent, one file for each subject.
//
// A tool gets its names checked by its call (package policy), asks Bitbucket
// with the checked values, and shapes a small closed answer. It cannot get
// round the policy: the client takes nothing but checked values, and this
// package may import no network, files, processes or reflection.
package agent
