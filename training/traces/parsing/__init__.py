"""Files of traces, whatever their layout: packed or plain, listings of calls, tables, labels."""
