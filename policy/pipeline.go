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
	return p.bothEnds().pipeline(number)
}

// AnyPipeline returns the right to a pipeline where a scope has no branch
// patterns: whatever it ran on is allowed. Only such scopes stay.
func (r Repo) AnyPipeline(number int) (Pipeline, bool) {
	return r.anyBranch().pipeline(number)
}

// anyBranch returns the repository with only the scopes that have no branch
// patterns.
func (r Repo) anyBranch() Repo {
	r.repoScopes = slices.DeleteFunc(slices.Clone(r.repoScopes), func(s *scope) bool { return !s.branches.allowsAll() })
	return r
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

// Use notes for the audit log that the answer rests on this pipeline, as
// [Commit.Use] does.
func (p Pipeline) Use() { p.pipelineRepo.useInstead() }

// Number returns the pipeline's number within its repository.
func (p Pipeline) Number() int { return p.pipelineNumber }

// Repo returns the pipeline's repository with the scopes that allow the
// pipeline.
func (p Pipeline) Repo() Repo { return p.pipelineRepo }
