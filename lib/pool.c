/* SPDX-License-Identifier: MIT */

/* Who goes next.  See pool.h. */

#include "pool.h"

#include "banned.h"

int
mn_pool_most(const struct mn_pool *p)
{
	return p->lanes->config->connections < MN_POOL_TRANSFERS ?
	    p->lanes->config->connections : MN_POOL_TRANSFERS;
}

/* Take it out of the list that it is in. */
static void
unlist(struct mn_transfer *t)
{
	*t->link = t->next;
	if (t->next != NULL)
		t->next->link = t->link;
	t->link = NULL;
	t->next = NULL;
}

void
mn_pool_enqueue(struct mn_pool *p, struct mn_transfer *t)
{
	t->pool = p;
	t->next = NULL;
	t->link = p->last;
	*p->last = t;
	p->last = &t->next;
}

void
mn_pool_withdraw(struct mn_transfer *t)
{
	if (t->next == NULL)
		t->pool->last = t->link;
	unlist(t);
}

/*
 * Handshakes are what blocks: about a millisecond each, and a cold CA folder
 * more.
 */
bool
mn_pool_ready(const struct mn_pool *p)
{
	int idle = p->open - p->connecting - (p->active - p->starting);

	if (p->first == NULL || p->active >= mn_pool_most(p))
		return false;
	if (p->first->fresh || idle < 0)
		idle = 0;
	return p->starting < MN_POOL_HANDSHAKES + idle;
}

void
mn_pool_begin(struct mn_pool *p, struct mn_transfer *t)
{
	t->next = p->busy;
	t->link = &p->busy;
	if (t->next != NULL)
		t->next->link = &t->next;
	p->busy = t;
	p->active++;
	p->starting++;
}

void
mn_pool_end(struct mn_transfer *t)
{
	unlist(t);
	t->pool->active--;
	mn_pool_settle(t);
}

void
mn_pool_opened(struct mn_transfer *t)
{
	t->pool->open++;
	/* One for sending again is of use at once: nobody settles it. */
	if (!t->sent) {
		t->opened++;
		t->pool->connecting++;
	}
}

void
mn_pool_settle(struct mn_transfer *t)
{
	if (!t->sent)
		t->pool->starting--;
	t->pool->connecting -= t->opened;
	t->opened = 0;
}

bool
mn_pool_busy(const struct mn_lanes *lanes)
{
	size_t i;

	if (lanes->held > 0)
		return true;
	for (i = 0; i < MN_LANES; i++) {
		if (lanes->pool[i].active > 0 || lanes->pool[i].first != NULL)
			return true;
	}
	return false;
}
