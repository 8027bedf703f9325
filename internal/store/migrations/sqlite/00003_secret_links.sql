-- One-time links, at each of which a person types the key of one credential.

-- +goose Up
CREATE TABLE secret_links (
	token_hash         BLOB    NOT NULL PRIMARY KEY, -- SHA-256: the token itself is stored nowhere
	credential_id      TEXT    NOT NULL, -- no reference: a link outlives its credential, and is void then
	credential_version INTEGER NOT NULL,
	provider           TEXT    NOT NULL, -- names, for the audit log
	credential         TEXT    NOT NULL,
	api                TEXT    NOT NULL, -- where the key will be sent, as it was when the link was made
	workspace          TEXT    NOT NULL,
	asked_by           TEXT    NOT NULL,
	asked_through      TEXT    NOT NULL, -- transport
	created_at         INTEGER NOT NULL,
	expires_at         INTEGER NOT NULL,
	used_at            INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX secret_links_by_expiry ON secret_links (expires_at);
