// Random operations of version control, told twice: as a script for psql, and as the answers that
// MemoryVersionedStore gives to it. test/t/025_versioned_store_model.pl runs the one and compares it with the
// other.
//
//     versioned_store_script SEED STEPS PREFIX
//
// PREFIX begins the names of all branches and tags. Lines of the script begin with "S ", answers with "E ".
//
// A step is one operation at one moment, and behind it all that can be seen of every branch: entries with
// their metadata, and where the head is. Now and then it asks for the past, too: commits, histories,
// differences. Operations run by themselves or in a transaction, some of which are rolled back to a
// savepoint.
//
// Time is the number of the step. A life of a microsecond is over at the next statement, one of a day
// outlasts the test, so the server's clock comes to the same decisions.

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "kvs/error.h"
#include "kvs/json/json.h"
#include "kvs/local/memory_versioned_store.h"

namespace kvs {
namespace {

using Store = MemoryVersionedStore;
using Number = Store::CommitNumber;

constexpr Timestamp kStep = 1'000'000;
constexpr Timestamp kDay = 86'400 * Timestamp{1'000'000};
constexpr size_t kShownLength = 40;

const char* SqlState(ErrorCode code) {
    switch (code) {
        case ErrorCode::kInvalidArgument:
            return "22023";
        case ErrorCode::kWrongType:
            return "42804";
        case ErrorCode::kUnknownRef:
            return "42704";
        case ErrorCode::kAlreadyExists:
            return "42710";
        case ErrorCode::kStaleVersion:
            return "KV001";
        default:
            return "unexpected";
    }
}

std::string Literal(const std::string& text) {
    return "'" + text + "'";
}

std::string Literal(const std::optional<std::string>& text) {
    return text ? Literal(*text) : "NULL";
}

// As jsonb prints it.
std::string JsonbText(const Json& json) {
    std::string text;
    if (json.IsObject()) {
        for (const auto& [name, member] : json.object()) {
            text += (text.empty() ? "" : ", ") + Json::String(name).ToText() + ": " + JsonbText(member);
        }
        return "{" + text + "}";
    }
    return json.ToText();
}

std::string Hex(const std::string& bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string hex = "\\x";
    for (const char byte : bytes) {
        hex += {kDigits[static_cast<uint8_t>(byte) >> 4], kDigits[static_cast<uint8_t>(byte) & 15]};
    }
    return hex;
}

// What pg_temp.shown makes of a value.
std::string Shown(const Value& value) {
    const std::string text = value.type == ValueType::kBytes
                                 ? Hex(value.payload)
                                 : JsonbText(Json::Parse(value.payload).OrThrow());
    return text.substr(0, kShownLength) + "#" + std::to_string(text.size());
}

std::string Tags(const std::vector<std::string>& tags) {
    std::string text;
    for (const std::string& tag : tags) {
        text += (text.empty() ? "" : ",") + tag;
    }
    return "{" + text + "}";
}

std::string YesNo(bool yes) {
    return yes ? "t" : "f";
}

// A row of kvs.entry as the script selects it.
std::string EntryLine(const std::string& key, const StoredEntry& entry) {
    const Metadata& metadata = entry.metadata;
    return "entry|" + key + "|" + std::to_string(metadata.version) + "|" + Shown(entry.value) + "|" +
           YesNo(entry.value.expires_at.has_value()) + "|" + Tags(metadata.tags) + "|" +
           metadata.modified_by + "|" + metadata.comment.value_or("") + "|" +
           metadata.schema_hash.value_or("") + "|" + YesNo(metadata.created_at == metadata.updated_at);
}

const char kEntryColumns[] =
    "'entry', key, version, pg_temp.shown(value, bytes), expires_at IS NOT NULL, coalesce(tags, '{}'), "
    "modified_by, "
    "comment, schema_hash, created_at = updated_at";

class Teller {
  public:
    Teller(uint64_t seed, std::string prefix) : random_(seed), prefix_(std::move(prefix)) {
        main_ = prefix_ + "main";
        store_.RenameBranch("main", main_);
        Ask("\\set ON_ERROR_ROLLBACK on");
        Ask("SET client_min_messages = error;");
        Ask("CREATE FUNCTION pg_temp.shown(value jsonb, bytes bytea) RETURNS text LANGUAGE sql AS $$ SELECT "
            "left(t, " +
            std::to_string(kShownLength) +
            ") || '#' || length(t) FROM (SELECT coalesce(value::text, bytes::text)) AS v(t) $$;");
        Ask("SELECT encode(_kvs.initial_commit(), 'hex') AS c0 \\gset");
        Ask("SELECT kvs.create_branch(" + Literal(main_) + ", :'c0') AS name \\gset");
        Ask("SET kvs.branch = " + Literal(main_) + ";");
        Ask("SET kvs.bulk_log_threshold = " + Pick<std::string>({"2", "1000"}) + ";");
    }

    void Run(size_t steps) {
        while (step_ < steps) {
            if (Chance(20)) {
                Transaction();
            } else {
                Step();
            }
        }
        CompareRoots();
    }

  private:
    void Ask(const std::string& line) { std::cout << "S " << line << "\n"; }
    void Expect(const std::string& line) { std::cout << "E " << line << "\n"; }

    size_t Below(size_t end) { return random_() % end; }
    bool Chance(size_t percent) { return Below(100) < percent; }

    template <typename T>
    T Pick(const std::vector<T>& from) {
        return from[Below(from.size())];
    }

    std::string AnyKey() { return Pick<std::string>({"k", "k:1", "l/m:1", "z"}); }
    std::string AnyBranch() {
        return Chance(3) ? prefix_ + "none" : Chance(30) ? main_ : Pick(store_.Branches());
    }
    std::string AnyName() { return prefix_ + Pick<std::string>({"a", "b", "c", "d"}); }
    Number AnyCommit() { return Below(commits_); }
    static std::string Variable(Number commit) { return ":'c" + std::to_string(commit) + "'"; }

    // One savepoint, to which the store goes back sometimes, and an end of either kind.
    void Transaction() {
        const Teller::Saved at_start{store_, commits_};
        Ask("BEGIN ISOLATION LEVEL " +
            Pick<std::string>({"READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"}) + ";");
        Step();
        const Teller::Saved at_savepoint{store_, commits_};
        Ask("SAVEPOINT a;");
        for (size_t left = Below(4); left > 0; left--) {
            Step();
        }
        if (Chance(50)) {
            Ask("ROLLBACK TO a;");
            Restore(at_savepoint);
            Step();
        }
        if (Chance(25)) {
            Ask("ROLLBACK;");
            Restore(at_start);
        } else {
            Ask("COMMIT;");
        }
    }

    void Step() {
        step_++;
        now_ += kStep;
        Ask("\\echo step " + std::to_string(step_));
        Expect("step " + std::to_string(step_));
        Operation();
        now_ += kStep;
        ShowBranches();
        if (Chance(50)) {
            ShowPast();
        }
    }

    // Asks `sql`, a whole statement; `call` gives its answer, a line, or the error.
    template <typename Call>
    void Do(const std::string& sql, const Call& call) {
        Ask(sql);
        Ask("\\echo :SQLSTATE");
        try {
            Expect(call());
            Expect("00000");
        } catch (const Error& error) {
            Expect(SqlState(error.code()));
        }
    }

    void Operation() {
        const size_t dice = Below(100);
        if (dice < 55) {
            WriteKey();
        } else if (dice < 70) {
            Commit();
        } else if (dice < 75) {
            Ask("SELECT 'flush', kvs.flush(" + Literal(main_) + ") >= 0;");
            Expect("flush|t");
        } else if (dice < 85) {
            Reset();
        } else if (dice < 95) {
            EditBranches();
        } else {
            EditTags();
        }
    }

    std::optional<int64_t> AnyExpectedVersion(const std::string& branch, const std::string& key) {
        if (Chance(75)) {
            return std::nullopt;
        }
        if (Chance(20)) {
            return 0;
        }
        const auto branches = store_.Branches();
        const bool known = std::find(branches.begin(), branches.end(), branch) != branches.end();
        const std::vector<StoredEntry> history =
            known ? Store::History(store_.Working(branch), key) : std::vector<StoredEntry>();
        const int64_t version = history.empty() ? 0 : static_cast<int64_t>(history.front().metadata.version);
        return version + (Chance(20) ? 1 : 0);
    }

    // Few, so that contents come back.
    std::string AnyDocument() {
        const std::string a = std::to_string(Below(2));
        const std::string b = std::to_string(Below(2));
        switch (Below(5)) {
            case 0:
                return a;
            case 1:
                return R"({"a":)" + a + R"(,"t":")" + std::string(3000, 'x') + R"("})";
            default:
                return R"({"a":)" + a + R"(,"b":)" + b + "}";
        }
    }

    std::string AnyDelta() {
        return Pick<std::string>(
            {R"({"a":null})", R"({"b":7})", R"({"c":{"d":1}})", R"({"c":{"d":null,"e":2}})", "{}", "5"});
    }

    // The write takes it from the session.
    std::optional<std::string> AnyOrigin() {
        const std::optional<std::string> origin =
            Chance(40) ? std::optional(Pick<std::string>({"app", "binding:users"})) : std::nullopt;
        Ask("SET kvs.origin = " + Literal(origin.value_or("")) + ";");
        return origin;
    }

    WriteOptions AnyOptions(const std::string& branch, const std::string& key) {
        WriteOptions options;
        options.expected_version = AnyExpectedVersion(branch, key);
        options.modified_by = Pick<std::string>({"ada", "bob"});
        options.origin = AnyOrigin();
        if (Chance(30)) {
            options.comment = "at " + std::to_string(step_);
        }
        return options;
    }

    void WriteKey() {
        const std::string branch = AnyBranch();
        const std::string key = AnyKey();
        WriteOptions options = AnyOptions(branch, key);
        const std::string where = "branch => " + Literal(branch);
        const std::string expected =
            options.expected_version ? std::to_string(*options.expected_version) : "NULL";
        const std::string about =
            ", comment => " + Literal(options.comment) + ", modified_by => " + Literal(options.modified_by);
        const auto version = [](const StoredEntry& entry) { return std::to_string(entry.metadata.version); };
        switch (Below(8)) {
            case 0: {
                Do("SELECT kvs.delete(" + Literal(key) + ", " + expected + about + ", " + where + ");",
                   [&] { return YesNo(store_.Delete(branch, key, options, now_)); });
                return;
            }
            case 1: {
                const std::string delta = AnyDelta();
                Do("SELECT kvs.patch(" + Literal(key) + ", " + Literal(delta) + ", " + expected + about +
                       ", " + where + ");",
                   [&] { return version(store_.Patch(branch, key, delta, options, now_)); });
                return;
            }
            case 2: {
                WriteOptions swap;
                swap.expected_version = options.expected_version.value_or(1);
                swap.modified_by = "cas";
                swap.origin = options.origin;
                const std::string document = AnyDocument();
                Ask("SET kvs.author = 'cas';");
                Do("SELECT kvs.cas(" + Literal(key) + ", " + std::to_string(*swap.expected_version) + ", " +
                       Literal(document) + ", " + where + ");",
                   [&] {
                       const Value value{ValueType::kJson, std::nullopt, document};
                       return YesNo(store_.Cas(branch, key, value, swap, now_));
                   });
                return;
            }
            case 3: {
                WriteOptions touched;
                touched.modified_by = "touch";
                touched.origin = options.origin;
                const Life life = AnyLife();
                Ask("SET kvs.author = 'touch';");
                Do("SELECT kvs.touch(" + Literal(key) + ", " + life.sql + ", " + where + ");",
                   [&] { return YesNo(store_.Touch(branch, key, life.end, touched, now_)); });
                return;
            }
            default:
                break;
        }
        Value value{ValueType::kJson, std::nullopt, AnyDocument()};
        std::string function = "put";
        std::string text = value.payload;
        if (Chance(15)) {
            value.type = ValueType::kBytes;
            value.payload = std::string(1 + Below(3), static_cast<char>(Below(256)));
            function = "put_bytes";
            text = Hex(value.payload);
        }
        const Life life = AnyLife();
        value.expires_at = life.end;
        if (Chance(30)) {
            options.tags = Pick<std::vector<std::string>>({{}, {"x"}, {"x", "y"}});
        }
        if (Chance(20)) {
            options.schema_hash = Pick<std::string>({"", "5c"});
        }
        Do("SELECT kvs." + function + "(" + Literal(key) + ", " + Literal(text) + ", " + expected + ", " +
               life.sql + ", tags => " + (options.tags ? Literal(Tags(*options.tags)) : "NULL") + about +
               ", schema_hash => " + Literal(options.schema_hash) + ", " + where + ");",
           [&] { return version(store_.Put(branch, key, value, options, now_)); });
    }

    struct Life {
        std::string sql;
        std::optional<Timestamp> end;
    };

    Life AnyLife() {
        const size_t dice = Below(10);
        return dice == 0   ? Life{"'1 microsecond'", now_ + 1}
               : dice == 1 ? Life{"'1 day'", now_ + kDay}
                           : Life{"NULL", std::nullopt};
    }

    void Commit() {
        const std::string branch = AnyBranch();
        const std::string name = "c" + std::to_string(commits_);
        const std::string message = "m" + std::to_string(step_);
        Ask("\\unset " + name);
        Ask("SELECT kvs.commit(" + Literal(message) + ", 'ada', " + Literal(branch) + ") AS " + name +
            " \\gset");
        Ask("\\echo :SQLSTATE :{?" + name + "}");
        try {
            const bool made = store_.MakeCommit(branch, message, "ada", now_).has_value();
            commits_ += made ? 1 : 0;
            Expect(std::string("00000 ") + (made ? "TRUE" : "FALSE"));
        } catch (const Error& error) {
            Expect(std::string(SqlState(error.code())) + " FALSE");
        }
    }

    void Reset() {
        const std::string branch = AnyBranch();
        const Number commit = AnyCommit();
        Ask("SET kvs.author = 'reset';");
        Ask("RESET kvs.origin;");
        Do("SELECT kvs.reset(" + Variable(commit) + ", 'hard', " + Literal(branch) +
               ") = " + Variable(commit) + ";",
           [&] {
               store_.Reset(branch, commit, "reset", now_);
               return "t";
           });
    }

    // Main stays, and it stays the branch of the session.
    std::string OtherBranch() {
        const std::string branch = AnyBranch();
        return branch == main_ ? AnyName() : branch;
    }

    void EditBranches() {
        const std::string name = AnyName();
        const size_t dice = Below(10);
        if (dice < 6) {
            const Number commit = AnyCommit();
            Do("SELECT kvs.create_branch(" + Literal(name) + ", " + Variable(commit) + ");", [&] {
                store_.CreateBranch(name, commit);
                return name;
            });
        } else if (dice < 8) {
            const std::string branch = OtherBranch();
            Do("SELECT kvs.delete_branch(" + Literal(branch) + ", force => true);", [&] {
                store_.DeleteBranch(branch);
                return "t";
            });
        } else {
            const std::string branch = OtherBranch();
            Do("SELECT kvs.rename_branch(" + Literal(branch) + ", " + Literal(name) + ");", [&] {
                store_.RenameBranch(branch, name);
                return "t";
            });
        }
    }

    void EditTags() {
        const std::string name = AnyName();
        if (Chance(70)) {
            const Number commit = AnyCommit();
            Do("SELECT kvs.create_tag(" + Literal(name) + ", " + Variable(commit) +
                   ") = " + Variable(commit) + ";",
               [&] {
                   store_.CreateTag(name, commit);
                   return "t";
               });
        } else {
            Do("SELECT kvs.delete_tag(" + Literal(name) + ");", [&] {
                const std::vector<std::string> tags = store_.Tags();
                const bool known = std::find(tags.begin(), tags.end(), name) != tags.end();
                if (known) {
                    store_.DeleteTag(name);
                }
                return YesNo(known);
            });
        }
    }

    void ShowEntries(const std::string& source, const Store::State& state, Timestamp moment) {
        Ask(std::string("SELECT ") + kEntryColumns + " FROM kvs.scan(" + source + ");");
        for (const auto& [key, entry] : Store::Scan(state, moment)) {
            Expect(EntryLine(key, entry));
        }
    }

    void ShowBranches() {
        for (const std::string& branch : store_.Branches()) {
            Ask("SELECT 'branch', " + Literal(branch) + ", kvs.rev_parse(" + Literal(branch) +
                ") = " + Variable(store_.Head(branch)) + ";");
            Expect("branch|" + branch + "|t");
            ShowEntries("branch => " + Literal(branch), store_.Working(branch), now_);
        }
    }

    void ShowPast() {
        const std::string branch = Pick(store_.Branches());
        const std::string key = AnyKey();
        const Number commit = AnyCommit();
        switch (Below(6)) {
            case 0:
                ShowEntries("as_of => " + Variable(commit), store_.At(commit).state,
                            store_.At(commit).committed_at);
                break;
            case 1:
                ShowHistory(branch, key);
                break;
            case 2:
                ShowDiff(Variable(commit), store_.At(commit).state, store_.At(commit).committed_at,
                         "'WORKING'", store_.Working(main_), now_);
                break;
            case 3: {
                const Number other = AnyCommit();
                ShowDiff(Variable(commit), store_.At(commit).state, store_.At(commit).committed_at,
                         Variable(other), store_.At(other).state, store_.At(other).committed_at);
                break;
            }
            case 4:
                ShowLog(branch);
                break;
            default:
                ShowTags();
        }
    }

    // As far as the branch's own history goes: what a key was in the commit that a reset took it from is seen
    // as long as that commit is below the branch.
    void ShowHistory(const std::string& branch, const std::string& key) {
        const std::vector<StoredEntry> history = Store::History(store_.Working(branch), key);
        Ask("SELECT 'history', version, op, pg_temp.shown(value, bytes), modified_by, origin, comment, "
            "schema_hash FROM "
            "kvs.history(" +
            Literal(key) + ", branch => " + Literal(branch) + ") WHERE version >= " +
            (history.empty() ? "1" : std::to_string(history.back().metadata.version)) + ";");
        for (const StoredEntry& entry : history) {
            const Metadata& metadata = entry.metadata;
            Expect("history|" + std::to_string(metadata.version) + "|" + OperationName(entry.operation) +
                   "|" + (metadata.deleted ? "" : Shown(entry.value)) + "|" + metadata.modified_by + "|" +
                   metadata.origin + "|" + metadata.comment.value_or("") + "|" +
                   metadata.schema_hash.value_or(""));
        }
    }

    void ShowDiff(const std::string& from_ref, const Store::State& from, Timestamp from_moment,
                  const std::string& to_ref, const Store::State& to, Timestamp to_moment) {
        static constexpr const char* kNames[] = {"added", "modified", "removed", "metadata"};
        Ask("SELECT 'diff', key, diff_type, CASE WHEN diff_type <> 'added' THEN from_version END, CASE WHEN "
            "diff_type <> 'removed' THEN to_version END FROM kvs.diff(" +
            from_ref + ", " + to_ref + ");");
        for (const Store::DiffEntry& entry : Store::Diff(from, from_moment, to, to_moment)) {
            const auto version = [](const std::optional<StoredEntry>& side) {
                return side ? std::to_string(side->metadata.version) : std::string();
            };
            Expect("diff|" + entry.key + "|" + kNames[static_cast<int>(entry.kind)] + "|" +
                   version(entry.from) + "|" + version(entry.to));
        }
    }

    void ShowLog(const std::string& branch) {
        Ask("SELECT 'log', message, author FROM kvs.log(" + Literal(branch) + ") WHERE hash <> :'c0';");
        for (const Number commit : store_.Log(store_.Head(branch))) {
            if (commit != 0) {
                Expect("log|" + store_.At(commit).message + "|" + store_.At(commit).author);
            }
        }
    }

    void ShowTags() {
        for (const std::string& tag : store_.Tags()) {
            Ask("SELECT 'tag', " + Literal(tag) + ", commit = " + Variable(store_.Tagged(tag)) +
                " FROM kvs.tags WHERE name = " + Literal(tag) + ";");
            Expect("tag|" + tag + "|t");
        }
    }

    // Equal contents have one root, whatever their history, and others have others.
    void CompareRoots() {
        std::string values;
        for (Number commit = 0; commit < commits_; commit++) {
            values += (commit == 0 ? "(" : ", (") + std::to_string(commit) + ", " + Variable(commit) + ")";
        }
        Ask("SELECT 'root', n, min(n) OVER (PARTITION BY l.root) FROM (VALUES " + values +
            ") AS c(n, hash), LATERAL kvs.log(c.hash, 1) AS l ORDER BY n;");
        for (Number commit = 0; commit < commits_; commit++) {
            Number first = 0;
            while (!SameValues(store_.At(first).state, store_.At(commit).state)) {
                first++;
            }
            Expect("root|" + std::to_string(commit) + "|" + std::to_string(first));
        }
    }

    static bool SameValues(const Store::State& left, const Store::State& right) {
        return Values(left) == Values(right);
    }

    static std::map<std::string, Value> Values(const Store::State& state) {
        std::map<std::string, Value> values;
        for (const auto& [key, revisions] : state) {
            if (!revisions.back().metadata.deleted) {
                values.emplace(key, revisions.back().value);
            }
        }
        return values;
    }

    struct Saved {
        Store store;
        Number commits;
    };

    void Restore(const Saved& saved) {
        store_ = saved.store;
        commits_ = saved.commits;
    }

    std::mt19937_64 random_;
    std::string prefix_;
    std::string main_;
    Store store_;
    Number commits_ = 1;
    size_t step_ = 0;
    Timestamp now_ = 0;
};

}  // namespace
}  // namespace kvs

int main(int argc, char** argv) {
    if (argc != 4) {
        std::cerr << "usage: versioned_store_script SEED STEPS PREFIX\n";
        return EXIT_FAILURE;
    }
    kvs::Teller(std::stoull(argv[1]), argv[3]).Run(std::stoull(argv[2]));
    return EXIT_SUCCESS;
}
