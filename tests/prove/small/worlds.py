"""The small worlds that are searched: wide ones as deep as time allows, narrow ones to the end.

A narrow world has some of what a wide one has, so that all of its histories of eight events can be
seen: each is named after the wide one, and searched beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from prove.small.search import Move, Search, SmallWorld, under_way
from prove.small.visited import State
from prove.small.world import (
    FLOOR,
    Content,
    Happening,
    Operator,
    World,
    delegations,
    moves,
    publishing,
    silences,
)


def cancel(_: Search, state: State) -> Iterator[Move]:
    """``danebot newkey --cancel``, which keeps the key apart, or ``--adopt`` of it."""
    files = state.files
    if files.cancelled and not files.staged:
        yield Move("newkey --adopt", state._replace(files=files._replace(next=0, cancelled=False)))
    if under_way(files) and not files.staged:
        files = files._replace(next=None, ready=None, cancelled=True)
        yield Move("newkey --cancel", state._replace(files=files))


def empty(search: Search, state: State) -> Iterator[Move]:
    """``dane-ee`` is emptied, or loses its last line, or is put right.

    Before danebot remembers anything, nobody knows of a line that goes.
    """
    listed = state.files.listed
    every = tuple(range(len(search.outside.worlds[0].places[0].rrsets)))
    for left in {(), every[:1], every} - {listed}:
        words = f"dane-ee lists {', '.join(map(str, left)) or 'nothing'}"
        protected = left if state.memory == 0 and left else state.protected
        files = state.files._replace(listed=left)
        yield Move(words, state._replace(files=files, protected=protected))


def forget(search: Search, state: State) -> Iterator[Move]:
    """``rollover.json`` is lost; who lost a line with it has nobody who knows of that."""
    listed = state.files.listed
    known = tuple(owner for owner in state.protected if owner in listed)
    lost = state._replace(
        world=search.outside.forgotten(state.world),
        memory=0,
        protected=known if listed else state.protected,
    )
    yield Move("rollover.json is lost", lost)


def misplace(_: Search, state: State) -> Iterator[Move]:
    """The key's own file is lost once certbot has issued with it: the archive alone has it then."""
    if state.files.staged and (state.files.next, state.files.ready) != (None, None):
        files = state.files._replace(next=None, ready=None)
        yield Move("the ready key's file is lost", state._replace(files=files))


def no_answer(search: Search, state: State) -> Iterator[Move]:
    """The resolver gives a run no answer."""
    owners = search.robot.watches(state.files, state.memory)
    yield from search.run(state, dict.fromkeys(owners))


def _publishing(*choices: tuple[Content, int]) -> Operator:
    def operator(world: World) -> Iterator[Happening]:
        return publishing(world, choices)

    return operator


_OLD, _BOTH, _NOTHING, _FOREIGN, _NEW = (
    Content.OLD,
    Content.BOTH,
    Content.NOTHING,
    Content.FOREIGN,
    Content.NEW,
)
_PLAIN = _publishing((_OLD, 1), (_BOTH, 1))
_RECORDS = SmallWorld(
    "records",
    1,
    (_publishing((_OLD, 1), (_OLD, 2), (_BOTH, 1), (_BOTH, 2)),),
    (cancel,),
    ((_OLD, _OLD),),
    before=1,
)
_ABSENT = SmallWorld(
    "absent",
    1,
    (_publishing((_NOTHING, 1), (_NOTHING, 2), (_BOTH, 1), (_BOTH, 2)),),
    (),
    ((_NOTHING, _NOTHING),),
    ttls=(1, 2),
)
_ALTERED = SmallWorld(
    "altered",
    1,
    (_publishing((_BOTH, 1), (_FOREIGN, 1), (_NEW, 1), (_NOTHING, 1)),),
    (no_answer,),
    ((_OLD, _OLD),),
    before=1,
)
_LAGGING = SmallWorld(
    "lagging",
    1,
    (silences, moves, delegations),
    (),
    ((_BOTH, _OLD),),
    before=1,
    trees=((1, None),),
)
_ROUTES = SmallWorld(
    "routes",
    1,
    (_PLAIN, silences, moves, delegations),
    (),
    ((_OLD, _OLD),),
    moved_before=True,
)
_FILES = SmallWorld("files", 2, (_PLAIN,), (empty, forget), ((_OLD, _OLD),), before=1)
WIDE = (
    _RECORDS,
    _ABSENT,
    _ALTERED,
    _ROUTES,
    _LAGGING,
    _FILES,
)
NARROW = (
    SmallWorld("unseen", 1, (_PLAIN,), (), ((_OLD, _OLD),)),
    SmallWorld(
        "begun",
        1,
        (_PLAIN,),
        (forget, misplace),
        ((_OLD, _OLD), (_BOTH, _BOTH)),
        before=1,
        trees=((1, None), (None, FLOOR)),
    ),
    replace(_LAGGING, name="lagging-named", operator=(silences, delegations)),
    replace(
        _ROUTES, name="routes-silent", operator=(_PLAIN, silences), before=1, moved_before=False
    ),
    replace(
        _RECORDS, name="records-raised", operator=(_publishing((_OLD, 1), (_BOTH, 2)),), files=()
    ),
    replace(
        _RECORDS, name="records-lowered", operator=(_publishing((_OLD, 2), (_BOTH, 1)),), files=()
    ),
    replace(_RECORDS, name="records-cancelled", operator=(_PLAIN,)),
    replace(_ABSENT, name="absent-longer", operator=(_publishing((_NOTHING, 2), (_BOTH, 1)),)),
    replace(_ABSENT, name="absent-alike", operator=(_publishing((_NOTHING, 1), (_BOTH, 1)),)),
    replace(_ALTERED, name="altered-gone", operator=(_publishing((_BOTH, 1), (_NOTHING, 1)),)),
    replace(_FILES, name="files-lost", owners=1, files=(forget,)),
    replace(_FILES, name="files-emptied", owners=1, files=(empty,)),
)
WORLDS = (*NARROW, *WIDE)
