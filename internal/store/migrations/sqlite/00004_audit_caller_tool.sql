-- Who looks for what one client did with one tool: by either index alone a
-- list would walk over all that the client did, or all that anybody did with
-- the tool.

-- +goose Up
CREATE INDEX audit_by_caller_tool ON audit_events (caller, tool, time, n);
