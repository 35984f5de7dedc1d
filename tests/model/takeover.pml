/*
 * Taking over: who may write to a conversation's log, and whether its turn ends.
 *
 * A model of turnlog/runtime/{actor,actors,ownership}.py and of turnlog/domain/{takeover,resting}.py
 * for the model checker spin (spinroot.com). `make model` looks at every order in which the following can
 * happen, and not only at those that a test comes by.
 *
 *   - Nodes share one log. An append names the offset for which it was decided, and lands only if
 *     the log still ends there. Whoever loses reads on, and decides again.
 *   - One node owns the turn and runs it: some steps, then its end. Its appends name its attempt.
 *   - With -DRESTS the turn rests after its first step, for an answer from outside, and then it is
 *     nobody's. Any node may be given the answer, and owns the turn by the append of it, with the
 *     next attempt; or it finds that the time for an answer is over, and ends the turn.
 *   - A node dies; or it is suspended, and wakes up as a zombie that goes on where it was; or it
 *     is only thought to be dead. Whoever finds a turn of such a node claims it, by an append like
 *     any other, with the next attempt.
 *   - A client asks for the turn to be cancelled. If it rests, that append ends it.
 *   - An append's answer is lost. The append may still land, later, when nobody waits for it any
 *     more, and even if its sender is dead. A runner sends the same append again, at the same
 *     offset, until it has an answer; if that one loses, it compares what stands there with its
 *     own. A claim, or a client's request, is not sent again: the log is looked at once.
 *
 * What has to hold:
 *
 *   - No append of an attempt that was superseded lands, and each attempt has one owner: no two
 *     nodes' steps are of the same.
 *   - A turn that has ended stays ended.
 *   - Nothing lands twice, and what was acknowledged stands where it was said to.
 *   - `ends`: if some node stays alive, the turn ends, also if it rests and nobody answers.
 *
 * The first three are assertions where an append lands, or is acknowledged. What is left out: what
 * is in the events, other conversations, how heartbeats are measured (a node may be thought dead
 * at any time), providers and tools. Troubles are counted: with no end of them nothing would end.
 *
 * Whether the model is able to fail is checked as well. Each of these takes one precaution away:
 *
 *   -DNO_COMPARE   an append lands wherever the log ends
 *   -DNO_ATTEMPT   a runner that lost goes on without asking whose turn it is now
 *   -DNO_BYTES     an append that lost is not compared with what stands there
 *   -DNO_LOOK      nodes do not look for turns that became theirs without their knowing
 *   -DNO_RAISE     an answer makes an owner, and leaves the attempt as it was
 *   -DNO_HEED      a runner lets its turn rest though that was asked to stop
 */

#ifndef NODES
#define NODES 3
#endif
#ifndef TROUBLES
#define TROUBLES 3
#endif
#define STEPS 2
#define LENGTH 14
#define CALLER NODES /* who asks to cancel: a client, by way of some node */
#define NOBODY (NODES + 1)

mtype = { started, step, asked, resumed, finished, buried, rested, answered }

typedef Entry { mtype kind; byte by; byte attempt; byte number }

/* The log, and what it says: the row of `turns`. */
Entry entries[LENGTH];
byte head = 1; /* the turn has begun */
byte owner;
byte attempt = 1;
byte steps;
bool cancel;
bool over;
bool resting;
bool has_answer;
byte stepped_by = NOBODY; /* whose the steps of this attempt are */

/* What may happen to nodes. One that is `doubted` is taken for dead until its next heartbeat. */
bool dead[NODES];
bool asleep[NODES];
bool doubted[NODES];
byte troubles = TROUBLES;

/* An append whose answer was lost, and which may still land: one for each who appends. */
typedef Late { bool due; byte at; mtype kind; byte attempt; byte number }
Late late[NODES + 1];

#define up(n) (!dead[n] && !asleep[n])
#define stale(n) (n < NODES && (dead[n] || doubted[n]))

#ifdef NO_COMPARE
#define stands(at) true
#else
#define stands(at) (head == (at))
#endif
#ifdef NO_BYTES
#define COMPARES false
#else
#define COMPARES true
#endif
#ifdef NO_ATTEMPT
#define ASKS_WHOSE false
#else
#define ASKS_WHOSE true
#endif
#ifdef NO_LOOK
#define LOOKS false
#else
#define LOOKS true
#endif

#ifdef NO_RAISE
#define RAISE 0
#else
#define RAISE 1
#endif
#ifndef RESTS
#define may_rest false
#elif defined(NO_HEED)
#define may_rest true
#else
#define may_rest (!cancel)
#endif

/* The database: `append_batch`. */
inline commit(at_, kind_, by_, attempt_, number_) {
    if
    :: stands(at_) ->
        assert(!over);
        if
        :: kind_ == step ->
            assert(attempt_ == attempt && by_ == owner);
            assert(number_ == steps + 1);
            assert(stepped_by == NOBODY || stepped_by == by_);
            stepped_by = by_;
            steps++
        :: kind_ == finished ->
            assert(attempt_ == attempt && by_ == owner);
            over = true
        :: kind_ == buried ->
            assert(attempt_ == attempt);
            over = true
        :: kind_ == resumed ->
            assert(attempt_ == attempt + 1 && !resting);
            attempt = attempt_;
            owner = by_;
            stepped_by = NOBODY
        :: kind_ == rested ->
            assert(attempt_ == attempt && by_ == owner);
            resting = true;
            owner = NOBODY
        :: kind_ == answered ->
            assert(attempt_ == attempt + RAISE && resting);
            stepped_by = (RAISE -> NOBODY : stepped_by);
            attempt = attempt_;
            owner = by_;
            resting = false;
            has_answer = true
        :: kind_ == asked ->
            cancel = true;
            over = resting
        fi;
        assert(head < LENGTH);
        entries[head].kind = kind_;
        entries[head].by = by_;
        entries[head].attempt = attempt_;
        entries[head].number = number_;
        head++
    :: else
    fi
}

#define is_mine(at_, kind_, by_, attempt_, number_) \
    (at_ < head && entries[at_].kind == kind_ && entries[at_].by == by_ \
     && entries[at_].attempt == attempt_ && entries[at_].number == number_)

/* An append's answer gets lost, and the append is on its way. */
inline lose_answer(who, at_, kind_, attempt_, number_) {
    troubles--;
    late[who].due = true;
    late[who].at = at_;
    late[who].kind = kind_;
    late[who].attempt = attempt_;
    late[who].number = number_
}

/* The actor reads on, starts or stops the runner by that, and decides what the runner says next. */
inline read(n) {
    at = head;
    if
    :: owner == n && !over && running != attempt ->
        running = attempt;
        told = steps
    :: over || (ASKS_WHOSE && owner != n) ->
        running = 0;
        told = 0
    :: else
    fi;
    if
    :: told == 1 && !has_answer && may_rest -> kind = rested
    :: else -> kind = (cancel || told == STEPS -> finished : step)
    fi
}

/* A node: its heartbeat, its actor and its runner. Asleep, it does nothing. */
active [NODES] proctype Node() {
    byte at;        /* how far the actor has read, and so where its next append goes */
    byte running;   /* the attempt that the runner runs; 0: there is no runner */
    byte told;      /* how many steps the runner knows to be in the log */
    mtype kind;     /* what is appended next */
    byte claimed;
    bool won;

    d_step { read(_pid) }

idle:
    do
    :: dead[_pid] || (up(_pid) && over && !running) -> break
    :: d_step { up(_pid) && doubted[_pid] -> doubted[_pid] = false }

    /* The tick: what is its own, and what is nobody's. */
    :: d_step { LOOKS && up(_pid) && !over && !running && owner == _pid -> read(_pid) }
    :: d_step {
            up(_pid) && !over && !running && owner != _pid && stale(owner) ->
            doubted[_pid] = false;
            read(_pid);
            kind = (cancel -> buried : resumed);
            claimed = attempt + (kind == resumed)
        }
        goto claiming

    /* An answer, or the end of the time for it: for who rests, any node does. */
    :: d_step {
            up(_pid) && !over && resting && !cancel ->
            read(_pid);
            kind = answered;
            claimed = attempt + RAISE
        }
        goto claiming
    :: d_step {
            up(_pid) && !over && resting && !cancel ->
            read(_pid);
            kind = buried;
            claimed = attempt
        }
        goto claiming

    /* The runner. When an answer is lost, the same is sent again. */
    :: d_step {
            up(_pid) && running ->
            won = stands(at);
            commit(at, kind, _pid, running, told + 1);
            won = won || (COMPARES && is_mine(at, kind, _pid, running, told + 1));
            assert(!won || is_mine(at, kind, _pid, running, told + 1));
            told = told + won;
            won = false;
            read(_pid)
        }
    :: d_step {
            up(_pid) && running && troubles && !late[_pid].due ->
            lose_answer(_pid, at, kind, running, told + 1)
        }
    od;
    goto gone;

claiming:
    if
    :: dead[_pid]
    :: d_step { up(_pid) -> commit(at, kind, _pid, claimed, 0); claimed = 0; read(_pid) }
        goto idle
    :: d_step {
            up(_pid) && troubles && !late[_pid].due ->
            lose_answer(_pid, at, kind, claimed, 0);
            claimed = 0
        }
        if
        :: dead[_pid]
        :: d_step { up(_pid) -> read(_pid) } /* once, and perhaps too early */
            goto idle
        fi
    fi;

gone:
    atomic { at = 0; running = 0; told = 0; kind = 0; claimed = 0 }
}

/* A client that may ask for the turn to be cancelled, by way of a node that is left out here. */
active proctype Caller() {
    byte at;
    bool won;

    do
    :: break
    :: over -> break
    :: d_step { !over && !stands(at) -> at = head }
    :: d_step {
            at ->
            won = stands(at);
            commit(at, asked, CALLER, 0, 0);
            assert(!won || is_mine(at, asked, CALLER, 0, 0))
        }
        if
        :: won -> break
        :: else
        fi
    :: d_step { at && troubles -> lose_answer(CALLER, at, asked, 0, 0) }
        break /* it is told so, and asks no more */
    od;
    atomic { at = 0; won = false }
}

/* Appends that are on their way: each lands, or never does. */
#define ARRIVAL(who) \
    :: d_step { \
            late[who].due -> late[who].due = false; \
            commit(late[who].at, late[who].kind, who, late[who].attempt, late[who].number); \
            forget(late[who]) \
        } \
    :: d_step { late[who].due -> late[who].due = false; forget(late[who]) }

inline forget(letter) {
    letter.at = 0; letter.kind = 0; letter.attempt = 0; letter.number = 0
}

active proctype Network() {
end:
    do
    ARRIVAL(0)
    ARRIVAL(1)
#if NODES > 2
    ARRIVAL(2)
#endif
    ARRIVAL(CALLER)
    od
}

/* What befalls a node. From a suspension it wakes, unless it dies of it. */
#define TROUBLE(n) \
    :: d_step { \
            troubles && !dead[n] -> \
            troubles--; dead[n] = true; asleep[n] = false; doubted[n] = false \
        } \
    :: d_step { troubles && up(n) -> troubles--; asleep[n] = true; doubted[n] = true } \
    :: d_step { troubles && up(n) && !doubted[n] -> troubles--; doubted[n] = true } \
    :: asleep[n] -> asleep[n] = false

active proctype World() {
end:
    do
    TROUBLE(0)
    TROUBLE(1)
#if NODES > 2
    TROUBLE(2)
#endif
    od
}

#define lives(n) (<>[] up(n))

#if NODES > 2
ltl ends { (lives(0) || lives(1) || lives(2)) -> <> over }
#else
ltl ends { (lives(0) || lives(1)) -> <> over }
#endif
