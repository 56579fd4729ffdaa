# What every answer that these tests receive must agree with: the server's own description.
from support import contract

contract.install()
