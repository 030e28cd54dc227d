/* run.h - the run: one answer being said, chunk by chunk, from task to task.
 *
 * A run has no memory of its own beyond the number it goes by: the ordinal that the user's message
 * got when it began. Number N owns the entities chat-msg-N-user and chat-msg-N, and the prompt and
 * the text so far are read back from the latter for every chunk. The context data of a session is
 * the number of its active run (0, as NULL: none), and a task whose number is not the active one
 * ends without a word. What becomes of a run when its session loses a batch or more:
 *
 *   the task is dropped (SS_E_COMMIT)  the next command ends the message that still streams
 *   the start itself is dropped        its message does not exist, the number is forgotten
 *   the end itself is dropped          the message streams on until the process starts again
 *   the process dies                   recover ends what streams, with status interrupted
 *
 * Threads: the shard of the session. */
#ifndef SS_APPS_CHAT_RUN_H
#define SS_APPS_CHAT_RUN_H

#include <stdbool.h>

#include <sessionstream/handler.h>

/* Every delta carries the text so far, so the bytes of an answer grow with its square. */
#define SS_CHAT_PROMPT_BYTES_MAX (16 << 10)

#define SS_CHAT_PROMPT_DEFAULT "Explain sessionstream"
#define SS_CHAT_ANSWER_PREFIX "Answer: "

/* ChatStartInference. A run that is active is stopped first, so that its last event precedes the
 * user's new message. Then the message is accepted and the answer started, all before the command
 * is answered. Errors: SS_E_TOOBIG (prompt after trimming), SS_E_NOMEM, those of ss_publish and
 * ss_after. @ctx: const struct ss_chat_options. */
int ss__chat_start(struct ss_context *context, const struct ss_command *command, void *ctx);

/* ChatStopInference. Fine when nothing runs: no event then. Errors: those of ss_publish. */
int ss__chat_stop(struct ss_context *context, const struct ss_command *command, void *ctx);

/* Session hook: ends every message that streamed when the process died. */
void ss__chat_recover(struct ss_context *context, bool was_running, void *ctx);

#endif
