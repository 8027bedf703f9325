package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bucketgate/internal/audit"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/policy"
)

// An Operation is what applying a file does to a record.
type Operation string

// The operations. A file never deletes.
const (
	Create    Operation = "create"
	Update    Operation = "update"
	Unchanged Operation = "unchanged"
)

// A Change is what applying a file does to one record.
type Change struct {
	Operation Operation
	Kind      string   // "provider", "credential", "scope" or "client"
	Name      string   // of a credential: provider/name
	Fields    []string // that an update changes
	Note      string   // what is left to do, such as to set a key

	version int64 // of the record that an update replaces
}

// A Plan is what applying a file does, record by record.
type Plan struct {
	Changes  []Change
	Warnings []string // the linter's words on the scopes that change
}

// Count returns how many records have the operation.
func (p Plan) Count(operation Operation) int {
	n := 0
	for _, c := range p.Changes {
		if c.Operation == operation {
			n++
		}
	}
	return n
}

// String is the plan for a person, one record that changes on each line.
func (p Plan) String() string {
	var b strings.Builder
	for _, c := range p.Changes {
		switch c.Operation {
		case Create:
			fmt.Fprintf(&b, "+ %s %s", c.Kind, c.Name)
		case Update:
			fmt.Fprintf(&b, "~ %s %s: %s", c.Kind, c.Name, strings.Join(c.Fields, ", "))
		default:
			continue
		}
		if c.Note != "" {
			fmt.Fprintf(&b, "  (%s)", c.Note)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "= %d unchanged\n", p.Count(Unchanged))
	return b.String()
}

// changing returns the changes that write.
func (p Plan) changing() []Change {
	return slices.DeleteFunc(slices.Clone(p.Changes), func(c Change) bool { return c.Operation == Unchanged })
}

func (p Plan) same(other Plan) bool {
	return slices.EqualFunc(p.Changes, other.Changes, func(a, b Change) bool {
		return a.Operation == b.Operation && a.Kind == b.Kind && a.Name == b.Name && a.version == b.version && slices.Equal(a.Fields, b.Fields)
	})
}

// action is what the audit log says of the plan: one event, with every record
// that it changes.
func (p Plan) action(actor Actor) action {
	var targets, scopes []string
	for _, c := range p.changing() {
		targets = append(targets, fmt.Sprintf("%s %s %s", c.Operation, c.Kind, c.Name))
		if c.Kind == "scope" {
			scopes = append(scopes, c.Name)
		}
	}
	return action{actor: actor, tool: "apply", target: strings.Join(targets, ", "), scope: strings.Join(scopes, ",")}
}

// errPlanned ends a transaction that was only to see what it would do.
var errPlanned = errors.New("planned only")

// PlanFile judges a file as a whole, and tells what applying it would do. It
// changes nothing.
func (s *Service) PlanFile(ctx context.Context, actor Actor, file File) (Plan, error) {
	var plan Plan
	err := s.config.Store.Update(ctx, func(tx *store.Tx) (err error) {
		// Later records need the earlier ones, so that all are written, and
		// taken back.
		if plan, err = s.applyAll(ctx, tx, actor, file); err != nil {
			return err
		}
		return errPlanned
	})
	if errors.Is(err, errPlanned) {
		return plan, nil
	}
	return Plan{}, err
}

// Apply creates and updates the records of a file: all in one transaction with
// one audit event, or none. Before it writes it shows the plan, and what it
// then writes is that plan, or nothing. A file that changes nothing writes
// nothing, and one that is refused leaves its event.
func (s *Service) Apply(ctx context.Context, actor Actor, file File, show func(Plan) error) (Plan, error) {
	plan, err := s.PlanFile(ctx, actor, file)
	if err != nil {
		return Plan{}, s.refuseFile(ctx, actor, file, err)
	}
	if err := show(plan); err != nil {
		return Plan{}, err
	}
	if len(plan.changing()) == 0 {
		return plan, nil
	}
	return plan, s.change(ctx, plan.action(actor), func(tx *store.Tx) error {
		now, err := s.applyAll(ctx, tx, actor, file)
		if err == nil && !now.same(plan) {
			return refusef("somebody else has changed something meanwhile, so that the plan does not hold any more: apply the file again")
		}
		return err
	})
}

// refuseFile writes down that a file was refused.
func (s *Service) refuseFile(ctx context.Context, actor Actor, file File, err error) error {
	if err = inWords(err); unwritable(err) {
		return err
	}
	a := action{actor: actor, tool: "apply", target: file.outline()}
	if auditErr := s.config.Audit.Commit(ctx, a.event(audit.Denied, err.Error())); auditErr != nil {
		return auditErr
	}
	return err
}

// outline says in few words what a file holds.
func (f File) outline() string {
	return fmt.Sprintf("%d providers, %d credentials, %d scopes, %d clients", len(f.Providers), len(f.Credentials), len(f.Scopes), len(f.Clients))
}

// An applying brings the records of a file into the database, one by one.
type applying struct {
	*Service
	ctx   context.Context
	tx    *store.Tx
	actor Actor
	plan  Plan
}

func (s *Service) applyAll(ctx context.Context, tx *store.Tx, actor Actor, file File) (Plan, error) {
	a := &applying{Service: s, ctx: ctx, tx: tx, actor: actor}
	for _, kind := range []func() error{
		func() error { return each(file.Providers, a.provider) },
		func() error { return each(file.Credentials, a.credential) },
		func() error { return each(file.Scopes, a.scope) },
		func() error { return each(file.Clients, a.client) },
	} {
		if err := kind(); err != nil {
			return Plan{}, err
		}
	}
	return a.plan, nil
}

// each applies the items of a list in order, and ends at the first mistake:
// what comes later may only be wrong because of it.
func each[T any](list []T, apply func(*T) error) error {
	for i := range list {
		if err := apply(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// wrongAt says in which line, and of which record, a mistake is.
func wrongAt(line int, kind, name string, err error) error {
	if runes := []rune(name); len(runes) > maxNameBytes {
		name = string(runes[:maxNameBytes]) + "…"
	}
	err = inWords(err)
	if refused := (*Refused)(nil); errors.As(err, &refused) {
		return &Refused{Words: fmt.Sprintf("line %d: %s %q: %v", line, kind, name, err), Err: err}
	}
	return fmt.Errorf("line %d: %s %q: %w", line, kind, name, err)
}

// create notes a record that is new.
func (a *applying) create(kind, name, note string) {
	a.plan.Changes = append(a.plan.Changes, Change{Operation: Create, Kind: kind, Name: name, Note: note})
}

// update notes a record that is there, and reports whether it changes.
func (a *applying) update(kind, name string, version int64, fields []string) bool {
	if len(fields) == 0 {
		a.plan.Changes = append(a.plan.Changes, Change{Operation: Unchanged, Kind: kind, Name: name})
		return false
	}
	a.plan.Changes = append(a.plan.Changes, Change{Operation: Update, Kind: kind, Name: name, Fields: fields, version: version})
	return true
}

// A difference is a field, and whether it is another one.
type difference struct {
	field string
	other bool
}

func differing(list ...difference) []string {
	var fields []string
	for _, d := range list {
		if d.other {
			fields = append(fields, d.field)
		}
	}
	return fields
}

func (a *applying) provider(item *fileProvider) error {
	record, err := a.providerRecord(a.actor, Provider{
		Name: item.Name, Type: item.Type, Workspace: item.Workspace, Description: string(item.Description), API: item.API,
	})
	if err == nil {
		err = a.putProvider(record)
	}
	if err != nil {
		return wrongAt(item.line("name"), "provider", item.Name, err)
	}
	return nil
}

func (a *applying) putProvider(record store.Provider) error {
	current, err := a.tx.Provider(record.Name)
	if errors.Is(err, store.ErrNotFound) {
		a.create("provider", record.Name, "")
		_, err = a.tx.CreateProvider(record)
		return err
	}
	if err != nil {
		return err
	}
	record.Meta = current.Meta
	record.UpdatedBy = a.actor.Name
	fields := differing(
		difference{"type", record.Type != current.Type},
		difference{"workspace", record.Workspace != current.Workspace},
		difference{"description", record.Description != current.Description},
		difference{"api_url", record.API != current.API},
	)
	if a.update("provider", record.Name, current.Version, fields) {
		_, err = a.tx.UpdateProvider(record)
	}
	return fixedUnder(err)
}

func (a *applying) credential(item *fileCredential) error {
	provider, err := findProvider(a.tx, item.Provider)
	if err != nil {
		return wrongAt(item.line("provider"), "credential", item.Name, err)
	}
	draft := Credential{Provider: item.Provider, Name: item.Name, Username: item.Username, Key: item.key, ExpiresOn: item.day}
	for _, f := range item.Fields {
		draft.Fields = append(draft.Fields, store.Field{Key: f.Key, Value: f.Value, Sensitive: f.Sensitive, Secret: f.secret})
	}
	record, err := credentialRecord(a.actor, draft)
	if err != nil {
		return wrongAt(item.line("name"), "credential", item.Name, err)
	}
	record.ProviderID = provider.ID
	current, err := a.tx.Credential(item.Provider, item.Name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if line, err := item.valueless(current); err != nil {
		return wrongAt(line, "credential", item.Name, err)
	}
	if err := a.putCredential(item.Provider, record, current); err != nil {
		return wrongAt(item.line("name"), "credential", item.Name, err)
	}
	return nil
}

// valueless finds a sensitive field that has no value, neither in the file nor
// stored.
func (c *fileCredential) valueless(current store.Credential) (int, error) {
	for i := range c.Fields {
		f := &c.Fields[i]
		key := strings.TrimSpace(f.Key)
		stored := slices.ContainsFunc(current.Fields, func(o store.Field) bool { return o.Sensitive && o.Key == key })
		if f.Sensitive && f.secret.IsZero() && !stored {
			return f.line(""), refusef("the sensitive field %q has no value yet: write value_env or value_file", key)
		}
	}
	return 0, nil
}

func (a *applying) putCredential(provider string, record, current store.Credential) error {
	name := provider + "/" + record.Name
	if current.ID == "" {
		note := ""
		if record.Key.IsZero() {
			note = "its API key is not set"
		}
		a.create("credential", name, note)
		_, err := a.tx.CreateCredential(record)
		return err
	}
	record.Meta = current.Meta
	record.UpdatedBy = a.actor.Name
	otherKey, err := a.otherKey(current, record.Key)
	if err != nil {
		return err
	}
	if !otherKey {
		record.Key = secret.Text{} // the plan does not say that it is set, and so it keeps its day
	}
	fields := differing(
		difference{"username", record.Username != current.Username},
		difference{"api_key", otherKey},
		difference{"fields", !slices.EqualFunc(record.Fields, current.Fields, sameField)},
		difference{"expires_on", !record.ExpiresOn.Equal(current.ExpiresOn)},
	)
	if a.update("credential", name, current.Version, fields) {
		_, err = a.tx.UpdateCredential(record)
	}
	return err
}

// otherKey reports whether a key is to be set that is not the stored one. A
// stored one that does not open is replaced.
func (a *applying) otherKey(current store.Credential, key secret.Text) (bool, error) {
	if key.IsZero() {
		return false, nil
	}
	stored, err := a.config.Store.CredentialKey(a.ctx, current.ID)
	if errors.Is(err, store.ErrNoKey) || errors.Is(err, secret.ErrNotOpened) || errors.Is(err, secret.ErrUnknownKey) {
		return true, nil
	}
	return !stored.Equal(key), err
}

// sameField compares what can be compared: a sensitive value does not come
// back, so that one that the file gives is another one.
func sameField(given, stored store.Field) bool {
	return given.Key == stored.Key && given.Sensitive == stored.Sensitive && given.Value == stored.Value && given.Secret.IsZero()
}

func (a *applying) scope(item *fileScope) error {
	draft := item.draft()
	current, err := a.tx.Scope(item.Name)
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err := a.checkHome(item); err != nil {
		return err
	}
	record, compiled, err := scopeRecord(a.tx, a.actor, draft)
	if err != nil {
		return wrongAt(item.lineOf(err), "scope", item.Name, err)
	}
	if known {
		if err := checkEmptied(current, draft); err != nil {
			return wrongAt(item.line("name"), "scope", item.Name, err)
		}
	}
	before := len(a.plan.changing())
	if err := a.putScope(record, current); err != nil {
		return wrongAt(item.line("name"), "scope", item.Name, err)
	}
	if len(a.plan.changing()) > before {
		a.warn(item, compiled.Warnings())
	}
	return nil
}

func (s *fileScope) draft() Scope {
	actions := make([]policy.Action, len(s.Actions))
	for i, action := range s.Actions {
		actions[i] = policy.Action(action)
	}
	return Scope{
		Name: s.Name, Provider: s.Provider, Credential: s.Credential, Description: string(s.Description),
		Repositories: s.Repositories, ExcludeRepositories: s.ExcludeRepositories, AllRepositories: s.AllRepositories,
		Branches: s.Branches, ExcludeBranches: s.ExcludeBranches, AllBranches: s.AllBranches,
		Actions: actions,
	}
}

// checkHome finds a provider or a credential that is not there, in its line.
func (a *applying) checkHome(item *fileScope) error {
	if _, err := findProvider(a.tx, item.Provider); err != nil {
		return wrongAt(item.line("provider"), "scope", item.Name, err)
	}
	if _, err := findCredential(a.tx, item.Provider, item.Credential); err != nil {
		return wrongAt(item.line("credential"), "scope", item.Name, err)
	}
	return nil
}

// lineOf is the line of the pattern that an error is about, or the scope's.
func (s *fileScope) lineOf(err error) int {
	var invalid *policy.InvalidPattern
	if errors.As(err, &invalid) {
		return s.patternLine(invalid.Field, invalid.Pattern)
	}
	return s.line("name")
}

func (s *fileScope) patternLine(field, pattern string) int {
	lists := map[string][]string{
		"repositories": s.Repositories, "exclude_repositories": s.ExcludeRepositories,
		"branches": s.Branches, "exclude_branches": s.ExcludeBranches,
	}
	if i := slices.Index(lists[field], pattern); i >= 0 {
		return s.line(element(field, i))
	}
	return s.line("name")
}

func (a *applying) warn(item *fileScope, warnings []policy.Warning) {
	for _, w := range warnings {
		a.plan.Warnings = append(a.plan.Warnings, fmt.Sprintf("line %d: scope %q: %s: %s %s", item.patternLine(w.Field, w.Pattern), item.Name, w.Field, w.Pattern, w.Words))
	}
}

func (a *applying) putScope(record, current store.Scope) error {
	if current.ID == "" {
		a.create("scope", record.Name, "")
		_, err := a.tx.CreateScope(record)
		return err
	}
	record.Meta = current.Meta
	record.UpdatedBy = a.actor.Name
	fields := differing(
		difference{"provider", record.ProviderID != current.ProviderID},
		difference{"credential", record.CredentialID != current.CredentialID},
		difference{"description", record.Description != current.Description},
		difference{"repositories", !slices.Equal(record.Repositories, current.Repositories)},
		difference{"exclude_repositories", !slices.Equal(record.ExcludeRepositories, current.ExcludeRepositories)},
		difference{"branches", !slices.Equal(record.Branches, current.Branches)},
		difference{"exclude_branches", !slices.Equal(record.ExcludeBranches, current.ExcludeBranches)},
		difference{"actions", !slices.Equal(record.Actions, current.Actions)},
	)
	if a.update("scope", record.Name, current.Version, fields) {
		_, err := a.tx.UpdateScope(record)
		return err
	}
	return nil
}

func (a *applying) client(item *fileClient) error {
	for i, name := range item.Scopes {
		if _, err := findScope(a.tx, name); err != nil {
			return wrongAt(item.line(element("scopes", i)), "client", item.Name, err)
		}
	}
	record, err := clientRecord(a.tx, a.actor, Client{Name: item.Name, Role: item.Role, Scopes: item.Scopes, ExpiresIn: item.lasts})
	if err == nil {
		err = a.putClient(record, item.lasts)
	}
	if err != nil {
		return wrongAt(item.line("name"), "client", item.Name, err)
	}
	return nil
}

func (a *applying) putClient(record store.Client, lasts time.Duration) error {
	_, err := a.tx.Client(record.Name)
	if errors.Is(err, store.ErrNotFound) {
		a.create("client", record.Name, "it has no key yet: bucketgate client key makes one")
		_, err = a.tx.CreateClient(record)
		return err
	}
	if err != nil {
		return err
	}
	current, err := findClient(a.tx, record.Name) // refuses a revoked one
	if err != nil {
		return err
	}
	next := current
	next.Role, next.Scopes, next.UpdatedBy = record.Role, record.Scopes, a.actor.Name
	if next.ExpiresAt, err = expiryOf(current, lasts, a.tx.Now()); err != nil {
		return err
	}
	fields := differing(
		difference{"role", next.Role != current.Role},
		difference{"scopes", !slices.Equal(next.Scopes, current.Scopes)},
		difference{"expires_in", !next.ExpiresAt.Equal(current.ExpiresAt)},
	)
	if a.update("client", record.Name, current.Version, fields) {
		_, err = a.tx.UpdateClient(next)
	}
	return err
}

// expiryOf is when a client expires by the file. expires_in counts from its
// creation, so that a file that is applied again does not prolong it; and an
// export says it in whole seconds, so that near is the same.
func expiryOf(current store.Client, lasts time.Duration, now time.Time) (time.Time, error) {
	expires := current.CreatedAt.Add(lasts)
	if lasts == 0 || !current.ExpiresAt.IsZero() && expires.Sub(current.ExpiresAt).Abs() <= 2*time.Second {
		return current.ExpiresAt, nil
	}
	if expires.Before(now) {
		return time.Time{}, refusef("expires_in counts from %s, when the client was created, and would be over: write a longer one, or delete the client", current.CreatedAt.Format(time.DateOnly))
	}
	return expires, nil
}
