#include "serve/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace m2 {
namespace {

using std::chrono::seconds;

std::shared_ptr<Job> job_of(const std::vector<size_t>& lengths) {
  auto job = std::make_shared<Job>();
  for (const size_t length : lengths) {
    TokenSequence sequence;
    sequence.ids.resize(length);
    job->sequences.push_back(sequence);
    job->length_classes.push_back(length);
  }
  return job;
}

size_t all_tokens(const FairQueue& queue) {
  return queue.tokens().openings + queue.tokens().rests;
}

// The jobs of the pieces in order, by their place in `jobs`: "0 0 1".
std::string names(const std::vector<FairQueue::Piece>& pieces,
                  const std::vector<std::shared_ptr<Job>>& jobs) {
  std::string text;
  for (const FairQueue::Piece& piece : pieces) {
    const auto at = std::find(jobs.begin(), jobs.end(), piece.job) - jobs.begin();
    text += (text.empty() ? "" : " ") + std::to_string(at);
  }
  return text;
}

// Takes and completes batches until nothing waits: one entry each.
std::vector<std::string> drain(FairQueue& queue, const std::vector<std::shared_ptr<Job>>& jobs) {
  queue.close();
  std::vector<std::string> batches;
  for (auto pieces = queue.take(); !pieces.empty(); pieces = queue.take()) {
    batches.push_back(names(pieces, jobs));
    for (const FairQueue::Piece& piece : pieces) queue.complete(piece);
  }
  return batches;
}

TEST(FairQueueTest, SmallRequestsGoInTheOrderOfArrivalAndShareBatches) {
  FairQueue queue({1000, 1000, 30});
  const std::vector<std::shared_ptr<Job>> jobs = {job_of({10}), job_of({10, 10}), job_of({10})};
  for (const auto& job : jobs) ASSERT_EQ(queue.add(job), Admission::kTaken);
  EXPECT_THAT(drain(queue, jobs), testing::ElementsAre("0 1 1", "2"));
}

TEST(FairQueueTest, AShortTextDoesNotWaitForALargeRequest) {
  FairQueue queue({10000, 10000, 20});
  const std::vector<std::shared_ptr<Job>> jobs = {job_of(std::vector<size_t>(100, 20)),
                                                  job_of({3})};
  queue.add(jobs[0]);
  EXPECT_EQ(names(queue.take(), jobs), "0");
  EXPECT_EQ(names(queue.take(), jobs), "0");
  queue.add(jobs[1]);
  EXPECT_EQ(names(queue.take(), jobs), "1");
  EXPECT_EQ(names(queue.take(), jobs), "0");
}

TEST(FairQueueTest, RestsDoNotFillUpTheBatchOfAnOpening) {
  FairQueue queue({10000, 10000, 20});
  const std::vector<std::shared_ptr<Job>> jobs = {job_of(std::vector<size_t>(100, 5)), job_of({3}),
                                                  job_of({3})};
  queue.add(jobs[0]);
  EXPECT_EQ(names(queue.take(), jobs), "0 0 0 0");
  queue.add(jobs[1]);
  queue.add(jobs[2]);
  EXPECT_EQ(names(queue.take(), jobs), "1 2");
  EXPECT_EQ(names(queue.take(), jobs), "0 0 0 0");
}

TEST(FairQueueTest, ALargeRequestGoesOnAmongManySmallOnes) {
  FairQueue queue({10000, 10000, 20});
  std::vector<std::shared_ptr<Job>> jobs = {job_of({20, 20, 20, 20})};
  for (int i = 0; i < 6; ++i) jobs.push_back(job_of({20}));
  for (const auto& job : jobs) queue.add(job);
  // Its opening in its turn, then every other batch.
  EXPECT_THAT(drain(queue, jobs),
              testing::ElementsAre("0", "1", "0", "2", "0", "3", "0", "4", "5", "6"));
}

TEST(FairQueueTest, OneLongTextIsNotMadeUpForByMoreThanABatch) {
  FairQueue queue({10000, 10000, 20});
  const std::vector<std::shared_ptr<Job>> jobs = {job_of(std::vector<size_t>(9, 20)), job_of({500}),
                                                  job_of({20})};
  queue.add(jobs[0]);
  queue.take();
  queue.add(jobs[1]);
  EXPECT_EQ(names(queue.take(), jobs), "1");
  queue.add(jobs[2]);
  EXPECT_EQ(names(queue.take(), jobs), "0");
  EXPECT_EQ(names(queue.take(), jobs), "2");
}

TEST(FairQueueTest, LargeRequestsShareByWhatTheyGot) {
  FairQueue queue({10000, 10000, 20});
  const std::vector<std::shared_ptr<Job>> jobs = {job_of({20, 20, 20}), job_of({20, 20, 20})};
  queue.add(jobs[0]);
  queue.add(jobs[1]);
  EXPECT_THAT(drain(queue, jobs), testing::ElementsAre("0", "1", "0", "1", "0", "1"));
}

TEST(FairQueueTest, EqualLengthsGoTogetherBeforeOthers) {
  FairQueue queue({1000, 1000, 30});
  const std::vector<std::shared_ptr<Job>> jobs = {job_of({10}), job_of({5}), job_of({10}),
                                                  job_of({7})};
  for (const auto& job : jobs) queue.add(job);
  EXPECT_THAT(drain(queue, jobs), testing::ElementsAre("0 2 1", "3"));
}

TEST(FairQueueTest, ModelsAndPoolingsAreNotMixed) {
  FairQueue queue({1000, 1000, 100});
  const std::vector<std::shared_ptr<Job>> jobs = {job_of({10}), job_of({10}), job_of({10})};
  jobs[1]->pooling = Pooling::kNone;
  for (const auto& job : jobs) queue.add(job);
  EXPECT_THAT(drain(queue, jobs), testing::ElementsAre("0 2", "1"));
}

TEST(FairQueueTest, TheLimitCountsWhatWaitsAndWhatIsInHand) {
  FairQueue queue({100, 100, 60});
  const auto first = job_of({60}), second = job_of({50}), third = job_of({40});
  EXPECT_EQ(queue.add(job_of({101})), Admission::kTooLarge);
  EXPECT_EQ(queue.add(first), Admission::kTaken);
  EXPECT_EQ(queue.add(second), Admission::kFull);
  EXPECT_EQ(queue.add(third), Admission::kTaken);
  EXPECT_EQ(all_tokens(queue), 100U);
  const auto pieces = queue.take();
  EXPECT_EQ(all_tokens(queue), 100U);
  EXPECT_TRUE(queue.complete(pieces.front()));
  EXPECT_EQ(all_tokens(queue), 40U);
  EXPECT_EQ(queue.add(second), Admission::kTaken);
}

TEST(FairQueueTest, LargeRequestsThatWaitKeepNoOneOut) {
  FairQueue queue({40, 100, 20});
  const auto large = job_of(std::vector<size_t>(6, 20));
  EXPECT_EQ(queue.add(large), Admission::kTaken);
  EXPECT_EQ(queue.tokens().openings, 20U);
  EXPECT_EQ(queue.tokens().rests, 100U);
  EXPECT_EQ(queue.add(job_of({15, 15})), Admission::kBacklogFull);
  EXPECT_EQ(queue.add(job_of(std::vector<size_t>(7, 20))), Admission::kTooLarge);
  EXPECT_EQ(queue.add(job_of({5, 15})), Admission::kTaken);
  EXPECT_EQ(queue.add(job_of({1})), Admission::kFull);
  drain(queue, {});
  EXPECT_EQ(all_tokens(queue), 0U);
}

TEST(FairQueueTest, AJobEndsWithItsLastPiece) {
  FairQueue queue({100, 100, 10});
  queue.add(job_of({10, 10}));
  const auto first = queue.take(), second = queue.take();
  EXPECT_FALSE(queue.complete(second.front()));
  EXPECT_EQ(queue.jobs(), 1U);
  EXPECT_TRUE(queue.complete(first.front()));
  EXPECT_EQ(queue.jobs(), 0U);
}

TEST(FairQueueTest, DeadRequestsGiveTheirRoomBack) {
  FairQueue queue({100, 100, 10});
  const auto gone = job_of({10, 10, 10}), late = job_of({10}), good = job_of({10});
  gone->gone = [] { return true; };
  const auto now = ServeClock::now();
  late->deadline = now - seconds(1);
  good->deadline = now + seconds(100);
  for (const auto& job : {gone, late, good}) queue.add(job);
  const auto in_hand = queue.take();
  ASSERT_EQ(in_hand.front().job, gone);
  const auto dropped = queue.drop_dead(now);
  ASSERT_EQ(dropped.size(), 2U);
  EXPECT_EQ(dropped[0].job, gone);
  EXPECT_EQ(dropped[0].end, JobEnd::kGone);
  EXPECT_EQ(dropped[1].job, late);
  EXPECT_EQ(dropped[1].end, JobEnd::kTimeout);
  EXPECT_TRUE(queue.unwanted(in_hand));
  // The piece in hand and the good job's.
  EXPECT_EQ(all_tokens(queue), 20U);
  EXPECT_FALSE(queue.complete(in_hand.front()));
  const auto rest = queue.take();
  EXPECT_EQ(rest.front().job, good);
  EXPECT_FALSE(queue.unwanted(rest));
  EXPECT_TRUE(queue.drop_dead(now).empty());
}

TEST(FairQueueTest, ClosedItGivesOutWhatWaitsAndTakesNoMore) {
  FairQueue queue({100, 100, 10});
  queue.add(job_of({10}));
  queue.close();
  EXPECT_EQ(queue.add(job_of({10})), Admission::kClosed);
  EXPECT_EQ(queue.take().size(), 1U);
  EXPECT_TRUE(queue.take().empty());
}

TEST(FairQueueTest, DroppingAllEndsEveryJobOnce) {
  FairQueue queue({100, 100, 10});
  queue.add(job_of({10, 10}));
  const auto in_hand = queue.take();
  EXPECT_EQ(queue.drop_all().size(), 1U);
  EXPECT_EQ(queue.drop_all().size(), 0U);
  EXPECT_FALSE(queue.complete(in_hand.front()));
  EXPECT_EQ(all_tokens(queue), 0U);
  EXPECT_FALSE(queue.wait_for_jobs());
}

TEST(FairQueueTest, ManyThreadsLoseNothing) {
  FairQueue queue({size_t{1} << 30, size_t{1} << 30, 64});
  constexpr int kThreads = 4, kJobs = 200;
  std::atomic<int> ended = 0;
  std::jthread taker([&] {
    for (auto pieces = queue.take(); !pieces.empty(); pieces = queue.take()) {
      for (const FairQueue::Piece& piece : pieces) ended += queue.complete(piece) ? 1 : 0;
    }
  });
  {
    std::vector<std::jthread> adders;
    for (int thread = 0; thread < kThreads; ++thread) {
      adders.emplace_back([&] {
        for (size_t i = 0; i < kJobs; ++i) queue.add(job_of(std::vector<size_t>(i % 5 + 1, 16)));
      });
    }
  }
  queue.close();
  taker.join();
  EXPECT_EQ(ended, kThreads * kJobs);
  EXPECT_EQ(all_tokens(queue), 0U);
}

}  // namespace
}  // namespace m2
