-- Audit events. What is signed is body; the columns are for lists, and a check of the chain compares them.

-- +goose Up
CREATE TABLE audit_events (
	n        INTEGER NOT NULL PRIMARY KEY, -- the order of arrival
	writer   TEXT    NOT NULL,
	seq      INTEGER NOT NULL,
	id       TEXT    NOT NULL,
	time     INTEGER NOT NULL,
	caller   TEXT    NOT NULL,
	tool     TEXT    NOT NULL,
	scope    TEXT    NOT NULL, -- names, comma separated
	target   TEXT    NOT NULL,
	decision TEXT    NOT NULL,
	body     BLOB    NOT NULL,
	mac      BLOB    NOT NULL,
	UNIQUE (writer, seq)
) STRICT;

-- Newest first is (time, n) backwards. What else is filtered by stands behind
-- it, so that a row that does not match costs no look into the table.
CREATE INDEX audit_by_time ON audit_events (time, n);
CREATE INDEX audit_by_caller ON audit_events (caller, time, n, tool);
CREATE INDEX audit_by_tool ON audit_events (tool, time, n);

-- Denials are few and asked for most: their indexes cost little, and no list of
-- them has to walk over the allowed ones.
CREATE INDEX audit_denied ON audit_events (time, n) WHERE decision = 'denied';
CREATE INDEX audit_denied_by_caller ON audit_events (caller, time, n, tool) WHERE decision = 'denied';
CREATE INDEX audit_denied_by_tool ON audit_events (tool, time, n) WHERE decision = 'denied';

-- One row for each scope that an event names, with what else a list is filtered
-- by.
CREATE TABLE audit_event_scopes (
	scope    TEXT    NOT NULL,
	time     INTEGER NOT NULL,
	n        INTEGER NOT NULL,
	caller   TEXT    NOT NULL,
	tool     TEXT    NOT NULL,
	decision TEXT    NOT NULL,
	PRIMARY KEY (scope, time, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_denied_by_scope ON audit_event_scopes (scope, time, n, caller, tool) WHERE decision = 'denied';
