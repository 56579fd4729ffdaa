// How far a job is, and when it will be done.
import { jobIsLive, type Job } from "../../api/objects";
import { duration } from "../../kit/format";
import { Progress, Status } from "../../kit/show";

/** The part of its steps that a job has done, 0 to 1. */
export function jobPart(job: Job): number {
    if (job.status === "succeeded") return 1;
    const last = latest(job);
    return last?.step && last.total_steps ? last.step / last.total_steps : 0;
}

/** What the job measured last. */
export function latest(job: Job): Record<string, number | null> | undefined {
    return (job.metrics as { temper?: Record<string, number | null> } | undefined)?.temper;
}

export function timeLeft(job: Job): string | null {
    if (job.status !== "running" || !job.estimated_finish) return null;
    return `${duration(Math.max(1, job.estimated_finish - Date.now() / 1000))} left`;
}

export function JobStatus({ job }: { job: Job }) {
    const left = timeLeft(job);
    return (
        <span class="status-cell">
            <Status of={job.status} />
            {(jobIsLive(job) || job.status === "paused") && <Progress part={jobPart(job)} label={`Steps of ${job.id} that are done`} />}
            {left && <small>{left}</small>}
        </span>
    );
}
