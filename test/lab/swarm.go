package lab

// InitSwarm makes the engine the first manager of a swarm.
func (e *Engine) InitSwarm() {
	e.t.Helper()
	e.Docker("swarm", "init", "--advertise-addr", e.Address(), "--default-addr-pool", e.net.part("32.0/19"))
}

// JoinSwarm makes the engine a "manager" or a "worker" of the swarm of another.
func (e *Engine) JoinSwarm(manager *Engine, role string) {
	e.t.Helper()
	e.Meet(manager)
	token := manager.Docker("swarm", "join-token", "-q", role)
	e.Docker("swarm", "join", "--advertise-addr", e.Address(), "--token", token, manager.Address()+":2377")
}

// Meet lets two engines reach each other.
func (e *Engine) Meet(other *Engine) {
	e.t.Helper()
	e.net.join(other.net)
}

// Node is the engine's ID in its swarm.
func (e *Engine) Node() string {
	e.t.Helper()
	return e.Docker("info", "-f", "{{.Swarm.NodeID}}")
}
