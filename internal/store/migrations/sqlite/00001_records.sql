-- Records: what an admin sets up. Times are microseconds since 1970 in UTC, 0 for none.

-- +goose Up
-- +goose StatementBegin
PRAGMA application_id = 1113015124; -- "BWGT": tells our databases from those of other programs
-- +goose StatementEnd

CREATE TABLE providers (
	id          TEXT    NOT NULL PRIMARY KEY,
	name        TEXT    NOT NULL UNIQUE,
	type        TEXT    NOT NULL,
	workspace   TEXT    NOT NULL,
	description TEXT    NOT NULL,
	api         TEXT    NOT NULL,
	version     INTEGER NOT NULL,
	created_at  INTEGER NOT NULL,
	updated_at  INTEGER NOT NULL,
	updated_by  TEXT    NOT NULL
) STRICT;

CREATE TABLE credentials (
	id          TEXT    NOT NULL PRIMARY KEY,
	provider_id TEXT    NOT NULL REFERENCES providers (id),
	name        TEXT    NOT NULL,
	username    TEXT    NOT NULL,
	expires_on  TEXT    NOT NULL, -- YYYY-MM-DD, or empty
	sealings    INTEGER NOT NULL, -- counts up with each value that is sealed
	key_hint    TEXT    NOT NULL,
	key_set_at  INTEGER NOT NULL,
	key_set_by  TEXT    NOT NULL,
	version     INTEGER NOT NULL,
	created_at  INTEGER NOT NULL,
	updated_at  INTEGER NOT NULL,
	updated_by  TEXT    NOT NULL,
	UNIQUE (provider_id, name),
	UNIQUE (id, provider_id)
) STRICT;

CREATE TABLE credential_fields (
	credential_id TEXT    NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
	position      INTEGER NOT NULL,
	key           TEXT    NOT NULL,
	value         TEXT    NOT NULL, -- empty where sensitive
	sensitive     INTEGER NOT NULL,
	PRIMARY KEY (credential_id, key)
) STRICT, WITHOUT ROWID;

-- Every secret there is. Nothing else in the database is sealed but the keyset.
CREATE TABLE sealed_values (
	credential_id TEXT    NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
	name          TEXT    NOT NULL, -- api_key, or field:KEY
	version       INTEGER NOT NULL, -- the credential's count of sealings at that time
	sealed        BLOB    NOT NULL,
	PRIMARY KEY (credential_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE scopes (
	id                   TEXT    NOT NULL PRIMARY KEY,
	name                 TEXT    NOT NULL UNIQUE,
	provider_id          TEXT    NOT NULL,
	credential_id        TEXT    NOT NULL,
	description          TEXT    NOT NULL,
	repositories         TEXT    NOT NULL, -- these five are JSON lists
	exclude_repositories TEXT    NOT NULL,
	branches             TEXT    NOT NULL,
	exclude_branches     TEXT    NOT NULL,
	actions              TEXT    NOT NULL,
	version              INTEGER NOT NULL,
	created_at           INTEGER NOT NULL,
	updated_at           INTEGER NOT NULL,
	updated_by           TEXT    NOT NULL,
	-- A credential of another provider would be sent to the wrong address.
	FOREIGN KEY (credential_id, provider_id) REFERENCES credentials (id, provider_id)
) STRICT;

CREATE INDEX scopes_by_credential ON scopes (credential_id, provider_id);
CREATE INDEX scopes_by_provider ON scopes (provider_id);

CREATE TABLE clients (
	id           TEXT    NOT NULL PRIMARY KEY,
	name         TEXT    NOT NULL UNIQUE,
	role         TEXT    NOT NULL,
	key_prefix   TEXT    UNIQUE, -- NULL for a client without a key
	key_hash     BLOB,
	expires_at   INTEGER NOT NULL,
	revoked_at   INTEGER NOT NULL,
	last_used_at INTEGER NOT NULL,
	version      INTEGER NOT NULL,
	created_at   INTEGER NOT NULL,
	updated_at   INTEGER NOT NULL,
	updated_by   TEXT    NOT NULL
) STRICT;

CREATE TABLE client_scopes (
	client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
	scope_id  TEXT NOT NULL REFERENCES scopes (id),
	PRIMARY KEY (client_id, scope_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX client_scopes_by_scope ON client_scopes (scope_id);

CREATE TABLE keyset (
	id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
	sealed     BLOB    NOT NULL, -- by the master key
	stamp      TEXT    NOT NULL, -- another one whenever sealed is another one
	changed_at INTEGER NOT NULL
) STRICT;

-- The stamp is another one after every change of a record. Who polls it learns
-- of changes, and not of audit events.
CREATE TABLE changes (
	id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
	stamp TEXT    NOT NULL
) STRICT;

INSERT INTO changes (id, stamp) VALUES (1, 'new');
