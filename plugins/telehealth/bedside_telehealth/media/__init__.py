"""The media of a call: who hears and sees whom, and the engine that forwards it (T9, T11).

`engine` is what the rest of telehealth knows: a Protocol and plain values. Everything else is of the embedded engine,
which runs in the server's own process; from the outside in:

    forwarder   the engine: rooms, and their tick
    room        who is in one room, and what each may hear
    publishing  the connection that brings one participant's tracks
    receiving   the connection that takes the others' tracks to one participant
    descriptions, candidates   what strangers send, read strictly
    peer, ice   the seams to aiortc: SDP, ICE and DTLS are its own, packets are not
    relays      what browsers are told of STUN and TURN
    path, source, leg, wire, srtp   packets: in once, out once per receiver; nothing is decoded

Only `peer` and `ice` import aiortc, and they are imported with the first call.
"""
