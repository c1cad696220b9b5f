package lab

// InitSwarm makes the engine the first manager of a swarm.
func (e *Engine) InitSwarm() {
	e.t.Helper()
	e.Docker("swarm", "init", "--advertise-addr", e.Address(), "--default-addr-pool", e.net.part("32.0/19"))
}

// JoinSwarm makes the engine a "manager" or a "worker" of the swarm of another.
func (e *Engine) JoinSwarm(manager *Engine, role string) {
	e.t.Helper()
	e.net.join(manager.net)
	token := manager.Docker("swarm", "join-token", "-q", role)
	e.Docker("swarm", "join", "--advertise-addr", e.Address(), "--token", token, manager.Address()+":2377")
}
