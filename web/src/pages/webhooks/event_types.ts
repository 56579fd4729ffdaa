// What can be told to a webhook endpoint.
export const eventTypes: { type: string; about: string }[] = [
    { type: "fine_tuning.job.succeeded", about: "A fine-tuning job has made its model." },
    { type: "fine_tuning.job.failed", about: "A fine-tuning job has failed." },
    { type: "fine_tuning.job.cancelled", about: "A fine-tuning job was cancelled." },
    { type: "batch.completed", about: "All requests of a batch are answered." },
    { type: "batch.failed", about: "A batch was refused." },
    { type: "batch.expired", about: "A batch was not done in its window." },
    { type: "batch.cancelled", about: "A batch was cancelled." },
];
