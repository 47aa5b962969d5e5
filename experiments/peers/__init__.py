"""Programs that do what ours do, in other libraries; they import nothing of this one."""
