"""Studies shipped with archsim."""
