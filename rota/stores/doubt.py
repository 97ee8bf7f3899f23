"""What is said of a call to a store that did not answer: whether it may be repeated."""

IS_NOT_WRITTEN = "nothing was written, the call may be repeated"
MAY_BE_WRITTEN = "the answer was lost, so it may have been written: look before you repeat the call"
