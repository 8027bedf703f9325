// Package bitbucket is the client of the Bitbucket Cloud REST API, and the
// only way out of the program.
//
// Its methods take checked values of package policy, never names, and pick the
// credential from them, so that nothing can be asked for that a scope does not
// allow, and nothing with another scope's key. What comes back is judged again
// before it is returned.
//
// Where to look:
//
//   - request.go builds the one request (newRequest), and is the only place
//     that does;
//   - transport.go decides which addresses may be dialled, and follows no
//     redirect;
//   - fetch.go sends it: shared between equal readers (share.go), in turn
//     (gate.go), again after a failure (retry.go);
//   - pages.go walks lists.
//
// Reference: https://developer.atlassian.com/cloud/bitbucket/rest/
package bitbucket
