"""Delivery orders chosen by a strategy.

exploring   a setup, what is chosen (choices), and an honest verdict; checkpoint keeps a search
what is searched
    state, run      what a strategy needs of it: states that stay, or runs made anew
    world, walk     machines, messages and checker as either
    happens, footprint      what comes before what, what commutes
strategies
    stateful        bfs, dfs: every state once;  symmetry: up to exchanges of identical cores
    dpor, wakeup    one order a trace
    orders          one order after the other, by random_order, pct or delay
by several workers
    crew, shares    who is asked, and what each has
    sharded_search, sharded         states
    shared_traces, trace_part       traces
    shared_orders                   orders
what was found
    witness         kept as a trace;  named: read back, by names
    shrink, simpler made small;  story: told
    catalogue_check all hazards, all presets
"""
