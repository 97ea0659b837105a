// What can be asked of a run, when, by whom, and what will happen then. The server has the last word.

import { post } from "./api";
import { asking, type Question } from "./asking.svelte";
import { session, type Role } from "./session.svelte";
import { plural } from "./text";

export interface Subject {
  run: string;
  plan: string;
  state: string;
  ending: string | null;
  done: number;
  total: number;
  executed: number;
  settled: boolean;
}

interface Command {
  verb: string;
  label: string;
  role: Role;
  states: string[];
  question: (run: Subject) => Omit<Question, "act">;
}

const OVER_AND_HELD = ["committed", "partial", "stuck"];

export const COMMANDS: Command[] = [
  {
    verb: "confirm",
    label: "Confirm",
    role: "approver",
    states: ["confirming"],
    question: (run) => ({
      title: `Keep what ${run.plan} did?`,
      says: [`The run ends committed: ${plural(run.executed, "step")} stay as they are. Without this it rolls back when the time is up.`],
      yes: "Keep it",
    }),
  },
  {
    verb: "pause",
    label: "Pause",
    role: "operator",
    states: ["running"],
    question: (run) => ({
      title: `Pause ${run.plan}?`,
      says: [
        "What is being applied is finished first, and the run rests where its open stages end. It keeps its locks, and nothing is undone.",
        `${run.done} of ${plural(run.total, "step")} are done.`,
      ],
      yes: "Pause",
    }),
  },
  {
    verb: "resume",
    label: "Resume",
    role: "operator",
    states: ["pausing", "paused"],
    question: (run) => ({
      title: `Let ${run.plan} go on?`,
      says: [`${plural(run.total - run.done, "step")} are still to do. The run goes on where it rests.`],
      yes: "Resume",
    }),
  },
  {
    verb: "retry",
    label: "Retry",
    role: "operator",
    states: ["partial", "rolled_back"],
    question: (run) => ({
      title: `Try ${run.plan} again?`,
      says: ["The same run goes on, with the same plan. Tasks that are in are left alone."],
      yes: "Try again",
      choice: {
        label: "Where to begin",
        options: [
          { value: "checkpoint", label: "From where it stopped.", says: "Stages that are done are not repeated." },
          { value: "scratch", label: "From scratch.", says: "Every stage of the failed tasks runs again." },
        ],
      },
    }),
  },
  {
    verb: "cancel",
    label: "Cancel",
    role: "operator",
    states: ["queued", "running", "pausing", "paused", "confirming"],
    question: (run) => ({
      title: `Cancel ${run.plan} and roll it back?`,
      says: [
        "What is being applied is finished first. Then everything this run did is undone, in reverse.",
        run.executed ? `${plural(run.executed, "step")} will be undone.` : "Nothing was changed so far.",
      ],
      yes: "Cancel and roll back",
      grave: true,
    }),
  },
  {
    verb: "rollback",
    label: "Roll back",
    role: "operator",
    states: [...OVER_AND_HELD, "paused", "interrupted"],
    question: (run) => ({
      title: `Roll ${run.plan} back?`,
      says: [
        `Everything is to be as it was before this run: ${plural(run.executed, "step")} will be undone, in reverse.`,
        "What somebody else has changed since is reported and left alone.",
      ],
      yes: "Roll back",
      grave: true,
    }),
  },
];

export function commandsFor(run: Subject): Command[] {
  return COMMANDS.filter(
    ({ verb, role, states }) => states.includes(run.state) && session.may(role) && !(run.settled && ["rollback", "retry"].includes(verb)),
  );
}

export function ask(command: Command, run: Subject, after: () => void): void {
  asking.ask({
    ...command.question(run),
    act: async ({ chosen }) => {
      await post(`/runs/${run.run}/${command.verb}`, chosen ? { from: chosen } : {});
      after();
    },
  });
}

/** Says yes to a step, or to the gate between two batches of a roll-out. */
export function askApproval(run: Subject, step: string, after: () => void): void {
  const gate = step === "gate";
  asking.ask({
    title: gate ? "Let the next batch begin?" : `Say yes to ${step}?`,
    says: [
      gate
        ? "The tasks of the batch before are in and healthy. The next ones begin at once."
        : "The run waits for this answer, and goes on as soon as it has it.",
    ],
    yes: "Approve",
    act: async () => {
      await post(`/runs/${run.run}/approve`, { step });
      after();
    },
  });
}

interface TaskCommand {
  verb: string;
  label: string;
  states: string[];
  says: string;
}

const TASK_COMMANDS: TaskCommand[] = [
  { verb: "pause", label: "Pause", states: ["running"], says: "It rests where its open stage ends. Other tasks go on." },
  { verb: "resume", label: "Resume", states: ["pausing", "paused"], says: "It goes on where it rests." },
  { verb: "retry", label: "Retry", states: ["failed", "rolled_back"], says: "It goes on from its last stage that is in. Other tasks are left alone." },
  { verb: "cancel", label: "Cancel", states: ["pending", "waiting", "running", "pausing", "paused"], says: "What it did is undone. Other tasks go on." },
  { verb: "rollback", label: "Roll back", states: ["completed", "failed", "paused", "rollback_failed"], says: "What it did is undone, in reverse. Other tasks are left alone." },
];

export function taskCommandsFor(state: string, settled: boolean): TaskCommand[] {
  return session.may("operator") ? TASK_COMMANDS.filter(({ states, verb }) => states.includes(state) && !(settled && ["rollback", "retry"].includes(verb))) : [];
}

export function askTask(command: TaskCommand, run: string, task: string, after: () => void): void {
  asking.ask({
    title: `${command.label} the task ${task}?`,
    says: [command.says],
    yes: command.label,
    grave: command.verb === "cancel" || command.verb === "rollback",
    act: async () => {
      await post(`/runs/${run}/${command.verb}`, { task });
      after();
    },
  });
}
