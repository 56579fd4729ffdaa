from support import contract

contract.install()
