"""What goes wrong because of the input, as opposed to a defect in meshopt."""


class InputError(ValueError):
    """The user's input cannot be used. The message is one sentence: which file, found, expected, which flag helps.

    The command line prints the message alone and exits with code 2; libraries may catch it.
    """


class MeshoptWarning(UserWarning):
    """Something in the input was repaired or guessed; the message says what."""
