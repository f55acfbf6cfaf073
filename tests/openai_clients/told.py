"""What every script of a client does: shows what worked, and wants an error of a kind."""


def show(what, text):
    print(f"python {what}: {text}", flush=True)


def fails(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")
