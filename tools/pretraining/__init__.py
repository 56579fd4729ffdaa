"""What make_pretraining_data.py is made of: word lists, random values, and the families of chats."""
