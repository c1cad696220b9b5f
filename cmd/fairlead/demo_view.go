package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/lipgloss/table"

	"github.com/fairlead/fairlead/internal/upstream"
)

// demoView is the running table of the clusters, and what keys do to them.
type demoView struct {
	world *demoWorld
	load  *demoLoad
	ctx   context.Context //nolint:containedctx // the program's own; bubbletea has no place for it

	seen, before demoCounts // now, and at the last tick
	busy         string     // what is being done to a cluster; "" nothing
	err          error
}

type (
	demoTick time.Time
	demoDone struct{ err error } // what was done to a cluster is done
)

const demoRefresh = time.Second

// showTable shows the table until ctx is done or the user quits.
func showTable(ctx context.Context, w *demoWorld, load *demoLoad, out *os.File) error {
	view := demoView{world: w, load: load, ctx: ctx}
	_, err := tea.NewProgram(view, tea.WithContext(ctx), tea.WithOutput(out)).Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return nil // the end of ctx is how the program is asked to end
	}
	return err
}

func nextTick() tea.Cmd {
	return tea.Tick(demoRefresh, func(t time.Time) tea.Msg { return demoTick(t) })
}

// Init is part of tea.Model.
func (v demoView) Init() tea.Cmd { return nextTick() }

// Update is part of tea.Model.
func (v demoView) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case demoTick:
		v.before, v.seen = v.seen, v.load.seen()
		return v, nextTick()
	case demoDone:
		v.busy, v.err = "", msg.err
	case tea.KeyMsg:
		return v.key(msg.String())
	}
	return v, nil
}

func (v demoView) key(key string) (tea.Model, tea.Cmd) {
	if key == "q" || key == "ctrl+c" || key == "esc" {
		return v, tea.Quit
	}
	n, err := strconv.Atoi(key)
	if err != nil || n < 1 || n > len(v.world.clusters) || v.busy != "" {
		return v, nil
	}
	c := v.world.clusters[n-1]
	if c.alive() {
		v.busy = "taking " + c.Name + " away"
		return v, func() tea.Msg { c.kill(); return demoDone{} }
	}
	v.busy = "bringing " + c.Name + " back"
	return v, func() tea.Msg { return demoDone{c.start(v.ctx, v.world.log)} }
}

// View is part of tea.Model.
func (v demoView) View() string {
	t := table.New().Border(lipgloss.NormalBorder()).
		StyleFunc(func(int, int) lipgloss.Style { return lipgloss.NewStyle().Padding(0, 1) }).
		Headers("key", "cluster", "is", "link", "data path", "runs", "served", "a second")
	for i, c := range v.world.clusters {
		t.Row(v.row(i, c)...)
	}
	foot := fmt.Sprintf("served %d, failed %d", v.seen.Served, v.seen.Failed)
	if v.seen.Last != "" {
		foot += " (last: " + v.seen.Last + ")"
	}
	if v.busy != "" {
		foot += "   " + v.busy + " …"
	}
	if v.err != nil {
		foot += "   " + v.err.Error()
	}
	return t.Render() + "\n" + foot + "\n1, 2, 3: take a cluster away or bring it back   q: end\n"
}

func (v demoView) row(i int, c *demoCluster) []string {
	is, link := "away", "lost"
	if c.alive() {
		is = "alive"
	}
	if v.world.edge.instance.followers[c.Name].State().Connected {
		link = "up"
	}
	var runs string
	for _, a := range c.apps {
		runs += a.Name + " "
	}
	path := upstream.DataPath(slices.Values(v.world.edge.instance.hosts.States()), c.Name)
	served := v.seen.By[c.Name]
	return []string{
		strconv.Itoa(i + 1), c.Name, is, link, path, runs, strconv.Itoa(served),
		strconv.Itoa(served - v.before.By[c.Name]),
	}
}
