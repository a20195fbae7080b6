"""Why a window was judged odd: the facts, the sentence, and hints at what it is like."""
