/* BCC includes this before every program; our program needs no kernel configuration. */
