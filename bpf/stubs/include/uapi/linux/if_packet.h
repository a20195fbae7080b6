/* Named by BCC's headers; nothing in it is needed here. */
