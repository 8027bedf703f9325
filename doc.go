// Package bucketgate holds no code: it is the place of the tests that look at
// the whole tree. The program is in cmd/bucketgate; README.md says where to
// read on.
package bucketgate
