package encoder

import "context"

// A Plan says what a pipeline would open.
type Plan struct {
	Camera, Encoder string
	Settings        Settings
	Why             string // this format
}

// Plan configures the devices as Run would, without starting them.
func (p *Pipeline) Plan() (Plan, error) {
	p.changing.Lock()
	defer p.changing.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	s := p.Settings()
	f, _, choice, err := p.prepare(ctx, &s)
	if err != nil {
		return Plan{}, err
	}
	return Plan{f.source.is.Name(), f.codec.is.Name(), s, choice.Reason}, nil
}
