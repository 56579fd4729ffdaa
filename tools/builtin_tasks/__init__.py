"""The five small tasks by which the built-in model is judged; tools/eval_builtin.py runs them."""
