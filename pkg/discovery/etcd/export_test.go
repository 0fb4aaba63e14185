package etcd

// Kill ends a registry as kill -9 ends a process: nothing is said to etcd.
func (r *Registry) Kill() {
	r.ending.Do(func() {
		r.keeper.cancel()
		r.keeper.tasks.Wait()
		r.client.Close()
		r.keeper.file.release()
	})
}
