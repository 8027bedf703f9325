package policy

import "slices"

// A Pipeline is a run of a pipeline whose target the scopes allow. The zero
// Pipeline allows nothing.
type Pipeline struct {
	pipelineRepo   Repo
	pipelineNumber int
}

// PipelineOn returns the right to a pipeline of a branch that the scopes allow.
func (b Branch) PipelineOn(number int) (Pipeline, bool) { return b.Repo().pipeline(number) }

// PipelineOn returns the right to a pipeline of a commit that an allowed branch
// reaches.
func (c Commit) PipelineOn(number int) (Pipeline, bool) { return c.Repo().pipeline(number) }

// PipelineOn returns the right to a pipeline of a pull request whose two ends
// the scopes allow: it ran what the source holds.
func (p PullRequest) PipelineOn(number int) (Pipeline, bool) {
	source, ok := p.Source()
	if !ok {
		return Pipeline{}, false
	}
	repo := p.Repo()
	repo.repoScopes = common(repo.repoScopes, source.branchScopes)
	return repo.pipeline(number)
}

// AnyPipeline returns the right to a pipeline where a scope has no branch
// patterns: whatever it ran on is allowed. Only such scopes stay.
func (r Repo) AnyPipeline(number int) (Pipeline, bool) {
	r.repoScopes = slices.DeleteFunc(slices.Clone(r.repoScopes), func(s *scope) bool { return !s.branches.allowsAll() })
	return r.pipeline(number)
}

func (r Repo) pipeline(number int) (Pipeline, bool) {
	if number < 1 || !r.Checked() {
		return Pipeline{}, false
	}
	return Pipeline{pipelineRepo: r, pipelineNumber: number}, true
}

// Checked reports whether the value came from a check.
func (p Pipeline) Checked() bool { return p.pipelineNumber > 0 && p.pipelineRepo.Checked() }

// Account returns what requests for the pipeline are made with.
func (p Pipeline) Account() Account { return p.pipelineRepo.Account() }

// Number returns the pipeline's number within its repository.
func (p Pipeline) Number() int { return p.pipelineNumber }

// Repo returns the pipeline's repository with the scopes that allow the
// pipeline.
func (p Pipeline) Repo() Repo { return p.pipelineRepo }
