// Package store keeps what an admin has set up (providers, credentials, scopes
// and clients) and the audit events, in a database.
//
// It promises:
//
//   - What an Update or an append has acknowledged is on the disk, and a process
//     that is killed leaves nothing half done.
//   - Secrets are sealed before they reach the database, each for its own place:
//     a ciphertext that is moved elsewhere does not open.
//   - Any number of processes may use one database at once, also while one of
//     them replaces the key that seals.
//   - A record that somebody else has changed meanwhile is not overwritten.
//   - What goes wrong with the database is told in one sentence.
//
// It holds no rule about what a record may say: those are in package manage.
package store
