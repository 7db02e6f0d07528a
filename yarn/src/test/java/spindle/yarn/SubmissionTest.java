package spindle.yarn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What can be submitted, and what is said about what cannot. */
class SubmissionTest {
    private static final String SHA = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    private static final String WHOLE = ("{'v':1,'staging':'hdfs:///user/u/.spindle',"
            + "'binary':{'path':'/bin/spindle','sha256':'" + SHA + "'},"
            + "'jar':{'path':'hdfs://n/x.jar'},"
            + "'private':[{'name':'job.json','text':'{\\u00fc}','executors':false},"
            + "{'name':'secret','hex':'00ff10','executors':true}],"
            + "'files':['/local/a.txt'],'name':'Tweets','queue':'default','tags':['a'],'priority':3,'label':'',"
            + "'attempts':2,'attempts_window_ms':3600000,'am':{'memory_mb':448,'cores':1},"
            + "'executor':{'memory_mb':256,'cores':2,'instances':3},'driver_args':['--follow-ms','60000']}").replace('\'', '"');

    @Test
    void a_whole_one_is_read() throws Malformed {
        Submission submission = Submission.parse(WHOLE);
        assertEquals("/bin/spindle", submission.binary.path);
        assertEquals("", submission.jar.sha256);
        assertArrayEquals(new byte[] {'{', (byte) 0xc3, (byte) 0xbc, '}'}, submission.privates.get(0).content());
        assertArrayEquals(new byte[] {0, -1, 16}, submission.privates.get(1).content());
        assertEquals(3, submission.executor.instances);
        assertEquals(2, submission.executor.cores);
        assertEquals("", submission.label);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "'v':1 | 'v':2 | submission.v is 2, not 1",
        "'staging':'hdfs:///user/u/.spindle', | `` | submission.staging is missing",
        "'files':['/local/a.txt'] | 'files':[null] | submission.files[] is missing",
        "'attempts':2 | 'attempts':0 | submission: attempts or executor.instances is missing or too small",
        "'instances':3 | 'x':3 | submission: attempts or executor.instances is missing or too small",
        "'memory_mb':448 | 'x':448 | submission: memory_mb or cores is missing or too small",
        "'path':'/bin/spindle', | `` | submission.binary.path is missing",
        "'hex':'00ff10' | 'hex':'00f' | the hex of secret is not pairs of hexadecimal digits",
        "'hex':'00ff10' | 'hex':'0g' | the hex of secret is not pairs of hexadecimal digits",
        "/local/a.txt | /other/secret | two files would be called secret in the containers: rename one",
        "/local/a.txt | /other/spindle | two files would be called spindle in the containers: rename one",
        "/local/a.txt | /other/am.json | two files would be called am.json in the containers: rename one",
        "/local/a.txt | /other/ | \"\" cannot be the name of a file in a container",
        "'name':'secret' | 'name':'../x' | \"../x\" cannot be the name of a file in a container",
        "'sha256':'2 | 'sha256':'X | the sha256 of /bin/spindle is not 64 hexadecimal digits"})
    void anything_else_is_refused_by_name(String from, String to, String message) {
        String text = WHOLE.replace(from.replace('\'', '"'), to.replace('\'', '"'));
        assertEquals(message, assertThrows(Malformed.class, () -> Submission.parse(text)).getMessage());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {"'name': | 'name'", "'name':'Tweets' | 'name':{}",
        "'attempts':2 | 'attempts':2.5", "'attempts':2 | 'attempts':2147483648", "'memory_mb':448 | 'memory_mb':'x'",
        "'tags':['a'] | 'tags':'a'", "'private':[ | 'private':[7,", "{'v' | [{'v'", "{'v' | 'v'", "['a'] | ['a"})
    void what_is_not_even_of_its_form_is_refused_in_one_line(String from, String to) {
        String text = WHOLE.replace(from.replace('\'', '"'), to.replace('\'', '"'));
        String message = assertThrows(Malformed.class, () -> Submission.parse(text)).getMessage();
        assertTrue(message.startsWith("submission") && !message.contains("\n"), message);
    }
}
